"""Where a store's bytes lie: a folder or any fsspec URL. Small files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from o1_assets.files import replace_file


class StoreError(Exception):
    """Something in the store is missing or is not what its digest says."""


class Backend:
    """Names are relative to `url` and joined by /. local: a rename is what makes things visible, else one PUT."""

    def __init__(self, url: str) -> None:
        # Another process may write at any time, so what a listing said once is never believed.
        self.fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self.root: str = root.rstrip("/")
        self.url = url
        self.local = isinstance(self.fs, LocalFileSystem)

    def place(self, name: str) -> str:
        return f"{self.root}/{name}"

    def exists(self, name: str) -> bool:
        return bool(self.fs.exists(self.place(name)))

    def read(self, name: str) -> bytes | None:
        """None when there is no such file."""
        try:
            content: bytes = self.fs.cat_file(self.place(name))
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        if self.local:
            replace_file(Path(self.place(name)), content)
        else:
            self.fs.pipe_file(self.place(name), content)

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted, without what is still being written; empty when it does not exist."""
        try:
            paths = self.fs.ls(self.place(folder), detail=False)
        except FileNotFoundError:
            return []
        names = (str(path).rstrip("/").rpartition("/")[2] for path in paths)
        return sorted(name for name in names if name and not name.startswith("."))
