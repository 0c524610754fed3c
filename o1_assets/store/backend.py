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

    def own(self, name: str) -> str:
        """As `place`. Raises StoreError if the name, or a link on the way to it, leads out of the store."""
        parts = name.split("/")
        if not all(part.strip(".") for part in parts):
            raise StoreError(f"{name!r} is a path outside of the store {self.url}")
        path = Path(self.root)
        for part in parts if self.local else ():
            path /= part
            if path.is_symlink():
                raise StoreError(
                    f"{path} is a link, and a store follows none; put what it should lead to there"
                )
        return self.place(name)

    def exists(self, name: str) -> bool:
        return bool(self.fs.exists(self.own(name)))

    def read(self, name: str) -> bytes | None:
        """None when there is no such file."""
        try:
            content: bytes = self.fs.cat_file(self.own(name))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self.place(name)} cannot be read: {error.strerror or error}") from None
        return content

    def write(self, name: str, content: bytes) -> None:
        place = self.own(name)
        if self.local:
            replace_file(Path(place), content)
        else:
            self.fs.pipe_file(place, content)

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted, without what is still being written; empty when it does not exist."""
        try:
            paths = self.fs.ls(self.own(folder), detail=False)
        except FileNotFoundError:
            return []
        names = (str(path).rstrip("/").rpartition("/")[2] for path in paths)
        return sorted(name for name in names if name and not name.startswith("."))
