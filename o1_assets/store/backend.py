"""Where a store's bytes lie: a folder or any fsspec URL. Small files are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from o1_assets.files import replace_file

TRASH = ".trash"
_CHUNK = 500
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az"})


class StoreError(Exception):
    """Something in the store is missing or is not what its digest says, or the store cannot be reached."""


@dataclass(frozen=True)
class Stored:
    """A file as a listing shows it. name: relative to the store; size: bytes; modified: seconds since 1970."""

    name: str
    size: int
    modified: float


class Backend:
    """Names are relative to `url` and joined by /. local: a rename is what makes things visible, else one PUT.

    Every method raises StoreError when the store cannot be reached or refuses, with what to do about it.
    """

    def __init__(self, url: str) -> None:
        try:
            # Another process may write at any time, so what a listing said once is never believed.
            self.fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            protocol = url.partition("://")[0]
            extra = "pip install 'o1-assets[s3]'" if protocol in ("s3", "s3a") else str(error)
            raise StoreError(f"the store {url} needs a package that is not installed: {extra}") from None
        except ValueError as error:
            raise StoreError(f"the store {url} cannot be opened: {error}; correct O1_STORE") from None
        self.root: str = root.rstrip("/")
        self.url = url
        self.local = isinstance(self.fs, LocalFileSystem)
        self._bucket_seen = self.local or url.partition("://")[0] not in _BUCKETS

    def place(self, name: str) -> str:
        return f"{self.root}/{name}"

    def exists(self, name: str) -> bool:
        with self._answers():
            return bool(self.fs.exists(self.place(name))) or self._absent()

    def read(self, name: str) -> bytes | None:
        """None when there is no such file."""
        with self._answers():
            try:
                content: bytes = self.fs.cat_file(self.place(name))
            except FileNotFoundError:
                self._absent()
                return None
        return content

    def read_many(self, names: list[str]) -> Iterator[tuple[str, bytes]]:
        """As `read` for each name, many at once where that is quicker; what is not there is left out."""
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            if self.local:
                found = {name: self.read(name) for name in chunk}
            else:
                with self._answers():
                    got = self.fs.cat([self.place(name) for name in chunk], on_error="return")
                found = {name: _content(got.get(self.place(name))) for name in chunk}
            for name, content in found.items():
                if content is not None:
                    yield name, content

    def write(self, name: str, content: bytes) -> None:
        if self.local:
            replace_file(Path(self.place(name)), content)
            return
        with self._answers():
            self.fs.pipe_file(self.place(name), content)

    def upload(self, source: Path, name: str) -> None:
        """A local file into a store that is not local."""
        with self._answers():
            self.fs.put_file(str(source), self.place(name))

    def download(self, name: str, target: Path) -> None:
        """Raises FileNotFoundError, StoreError."""
        with self._answers():
            self.fs.get_file(self.place(name), str(target))

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted, without what is still being written; empty when it does not exist."""
        with self._answers():
            try:
                paths = self.fs.ls(self.place(folder), detail=False)
            except FileNotFoundError:
                self._absent()
                return []
        names = (str(path).rstrip("/").rpartition("/")[2] for path in paths)
        return sorted(name for name in names if name and not name.startswith("."))

    def walk(self, folder: str) -> Iterator[Stored]:
        """Every file below a folder, also what is still being written. Links are neither followed nor shown."""
        if self.local:
            yield from _walk(Path(self.root), folder)
            return
        with self._answers():
            found = self.fs.find(self.place(folder), detail=True)
        for path, info in found.items():
            name = str(path).removeprefix(f"{self.root}/")
            if not {"", ".", ".."} & set(name.split("/")):
                yield Stored(name, int(info.get("size") or 0), _modified(info))

    def remove(self, names: list[str]) -> None:
        """Files, in this order, elsewhere than on a disk some hundreds at once; what is gone already is no error.

        Raises StoreError on a name that leads out of the store.
        """
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            if self.local:
                for name in chunk:
                    self._inside(name).unlink(missing_ok=True)
                continue
            with self._answers():
                if self.fs.async_impl:
                    self.fs.rm([self.place(name) for name in chunk])
                    if self.fs.exists(self.place(chunk[-1])):  # a refusal is no error in a bulk answer
                        raise PermissionError(f"{chunk[-1]} could not be removed")
                else:
                    for name in chunk:
                        with suppress(FileNotFoundError):
                            self.fs.rm_file(self.place(name))

    def remove_folder(self, name: str, first: str) -> None:
        """A folder and all in it, so that a half of it never looks like a whole.

        first: the file whose absence says that the folder is not there, where a rename cannot say it.
        """
        if self.local:
            trash = self._inside(f"{TRASH}/{uuid.uuid4().hex}")
            trash.parent.mkdir(exist_ok=True)
            try:
                self._inside(name).rename(trash)
            except FileNotFoundError:
                return
            shutil.rmtree(trash, ignore_errors=True)
            return
        self.remove([f"{name}/{first}"])
        self.remove([entry.name for entry in self.walk(name)])

    def _inside(self, name: str) -> Path:
        """The path of a name of which no part is a link. Raises StoreError when it could lead out of the store."""
        root, parts = Path(self.root).resolve(), name.split("/")
        path = root.joinpath(*parts)
        if {"", ".", ".."} & set(parts) or path.parent.resolve() != path.parent or path.is_symlink():
            raise StoreError(
                f"{path} leads out of the store through a link; remove the link, nothing was removed"
            )
        return path

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """Turns what a remote store's client raises into one sentence."""
        if self.local:
            yield
            return
        try:
            yield
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise StoreError(
                f"the store {self.url} refuses access ({error}); check the credentials "
                "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile) and their rights"
            ) from None
        except Exception as error:
            if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _CLIENTS:
                raise StoreError(
                    f"the store {self.url} cannot be reached ({error or type(error).__name__}); check O1_STORE, "
                    "the network and, for S3, the credentials and AWS_ENDPOINT_URL"
                ) from None
            raise

    def _absent(self) -> bool:
        """Always False. Something is not there: once a process it is asked whether the bucket is."""
        if not self._bucket_seen:
            bucket = self.root.partition("/")[0]
            if not self.fs.exists(bucket):
                raise StoreError(f"the bucket {bucket} of the store {self.url} does not exist; create it")
            self._bucket_seen = True
        return False


_CLIENTS = frozenset({"botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs", "azure"})


def _content(got: Any) -> bytes | None:
    if isinstance(got, Exception) and not isinstance(got, FileNotFoundError):
        raise got
    return got if isinstance(got, bytes) else None


def _walk(root: Path, folder: str) -> Iterator[Stored]:
    todo = [folder]
    if any(root.joinpath(*folder.split("/")[: n + 1]).is_symlink() for n in range(folder.count("/") + 1)):
        return
    while todo:
        name = todo.pop()
        try:
            entries = list(os.scandir(root / name))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                todo.append(f"{name}/{entry.name}")
            elif entry.is_file(follow_symlinks=False):
                try:
                    stat = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Stored(f"{name}/{entry.name}", stat.st_size, stat.st_mtime)


def _modified(info: dict[str, Any]) -> float:
    """Of what a listing says of a file; now, where it says nothing: what seems young is left alone."""
    for field in ("LastModified", "mtime", "last_modified", "updated", "created"):
        value = info.get(field)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return time.time()
