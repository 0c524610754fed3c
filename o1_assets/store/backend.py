"""The bytes of a store, in a folder or at any fsspec URL. Small files are written whole or not at all.

Whatever goes wrong between here and a server becomes a StoreError that says what to correct.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from o1_assets.core.errors import O1Error
from o1_assets.core.files import replace_file

# Protocols whose first path component is a bucket.
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az"})
# Packages whose exceptions are about the server. Any other exception that is no OSError is a defect of ours.
_CLIENTS = frozenset({"botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs", "azure"})


class StoreError(O1Error):
    """Something in the store is missing or is not what its digest says, or the store cannot be reached."""


class DamagedError(StoreError):
    """Something in the store is gone or is not what was stored. It can be made again, or restored from a backup."""


@dataclass(frozen=True)
class Stored:
    """name: relative to the store; size: bytes; modified: seconds since 1970."""

    name: str
    size: int
    modified: float


# A folder that is about to be removed is first moved here, in one step.
TRASH = ".trash"

# S3 removes at most 1,000 objects with one request; files that are read together are in memory together.
_CHUNK = 500


class Backend:
    """Names are relative to `url` and joined by /. local: whether the store is on a disk.

    On a disk a rename makes a file visible, elsewhere one PUT. Every method raises StoreError on a name that leads out
    of the store, and when the store cannot be reached or refuses.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        if "://" in url:
            self.fs, self.root = _open_url(url)
            self.local = "file" in self.fs.protocol
        else:  # a path: to fsspec `a::b` and `local:a` are more than that
            self.root, self.local = os.path.abspath(os.path.expanduser(url)).rstrip("/"), True
        self._bucket_seen = not _has_bucket(url)

    @cached_property
    def fs(self) -> Any:
        """fsspec's file system; a folder is read and written without it, and without importing it."""
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()

    def place(self, name: str) -> str:
        return f"{self.root}/{name}"

    def checked_place(self, name: str, folders: set[str] | None = None) -> str:
        """As `place`. Raises StoreError if the name, or a link on the way to it, leads out of the store.

        folders: those that were looked at already are not looked at again; more are added.
        """
        # Names come from manifests and pointers, which somebody may have changed.
        parts = name.split("/")
        if not all(part.strip(".") for part in parts):
            raise StoreError(f"{name!r} is a path outside of the store {self.url}")
        place = self.root
        for part in parts:
            place = f"{place}/{part}"
            if folders is not None and place in folders:
                continue
            if self.local and os.path.islink(place):
                raise DamagedError(
                    f"{place} is a link, and a store follows none; put what it should lead to there"
                )
        if folders is not None:
            folders.add(place.rpartition("/")[0])
        return place

    def exists(self, name: str) -> bool:
        # On a disk without fsspec, here and in `read`: `o1 status` asks for several files of every key.
        if self.local:
            return os.path.exists(self.checked_place(name))
        with self._errors_explained():
            exists = bool(self.fs.exists(self.checked_place(name)))
        if not exists:
            self._require_bucket()
        return exists

    def read(self, name: str, folders: set[str] | None = None) -> bytes | None:
        """None when there is no such file. folders: as `checked_place` takes it."""
        try:
            if self.local:
                with open(self.checked_place(name, folders), "rb") as file:
                    return file.read()
            with self._errors_explained():
                content: bytes = self.fs.cat_file(self.checked_place(name))
        except FileNotFoundError:
            self._require_bucket()
            return None
        except OSError as error:
            raise StoreError(f"{self.place(name)} cannot be read: {error.strerror or error}") from None
        return content

    def read_each(self, names: list[str]) -> Iterator[tuple[str, bytes | StoreError]]:
        """As `read_many`, but of a file of a disk that cannot be read it yields why, and goes on."""
        if not self.local:
            yield from self.read_many(names)
            return
        folders: set[str] = set()
        for name in names:
            try:
                content: bytes | StoreError | None = self.read(name, folders)
            except StoreError as error:
                content = error
            if content is not None:
                yield name, content

    def read_many(self, names: list[str]) -> Iterator[tuple[str, bytes]]:
        """As `read` for each name, many at once on a server; files that do not exist are left out."""
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            for name, content in self._read_local(chunk) if self.local else self._read_remote(chunk):
                if content is not None:
                    yield name, content

    def write(self, name: str, content: bytes) -> None:
        place = self.checked_place(name)
        if self.local:
            replace_file(Path(place), content)
            return
        with self._errors_explained():
            self._require_bucket()
            self.fs.pipe_file(place, content)

    def upload(self, source: Path, name: str) -> None:
        """Copies a local file into a store that is not local."""
        with self._errors_explained():
            self._require_bucket()
            self.fs.put_file(str(source), self.checked_place(name))

    def download(self, name: str, target: Path) -> None:
        """Raises FileNotFoundError, StoreError."""
        with self._errors_explained():
            self.fs.get_file(self.checked_place(name), str(target))

    def names(self, folder: str) -> list[str]:
        """The names in a folder, sorted, without files that are still being written; empty if there is no folder."""
        place = self.checked_place(folder)
        try:
            with self._errors_explained():
                paths = os.listdir(place) if self.local else self.fs.ls(place, detail=False)
        except FileNotFoundError:
            self._require_bucket()
            return []
        except OSError as error:
            raise StoreError(f"{place} cannot be read: {error.strerror or error}") from None
        names = (str(path).rstrip("/").rpartition("/")[2] for path in paths)
        return sorted(name for name in names if name and not name.startswith("."))

    def walk(self, folder: str) -> Iterator[Stored]:
        """Every file below a folder, half-written ones too. Links are neither followed nor shown."""
        if self.local:
            return _walk_folder(Path(self.root), folder)
        with self._errors_explained():
            return _listed(self.root, self.fs.find(self.place(folder), detail=True))

    def remove(self, names: list[str]) -> None:
        """Removes files in this order, on a server some hundreds at once. A file that is gone already is no error."""
        for start in range(0, len(names), _CHUNK):
            places = [self.checked_place(name) for name in names[start : start + _CHUNK]]
            if self.local:
                for place in places:
                    Path(place).unlink(missing_ok=True)
                continue
            with self._errors_explained():
                if self.fs.async_impl:
                    self.fs.rm(places)
                    if self.fs.exists(places[-1]):  # a bulk answer does not say that it refused
                        raise PermissionError(f"{places[-1]} could not be removed")
                for place in [] if self.fs.async_impl else places:
                    with suppress(FileNotFoundError):
                        self.fs.rm_file(place)

    def set_aside(self, name: str) -> None:
        """Moves what has this name on a disk, a link too, to the trash, where it stays until `o1 gc`."""
        parent, _, last = name.rpartition("/")
        place, trash = (
            Path(self.checked_place(parent), last),
            Path(self.checked_place(TRASH), uuid.uuid4().hex),
        )
        trash.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            place.rename(trash)

    def remove_folder(self, name: str, first: str) -> None:
        """Removes a folder with all its files. What a kill leaves of it never looks like a whole folder.

        first: the file whose absence says that the folder is gone, for stores that have no rename.
        """
        if self.local:
            folder, trash = Path(self.checked_place(name)), Path(self.checked_place(TRASH), uuid.uuid4().hex)
            trash.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                folder.rename(trash)
                shutil.rmtree(trash, ignore_errors=True)
            return
        self.remove([f"{name}/{first}"])
        self.remove([entry.name for entry in self.walk(name)])

    def _read_local(self, names: list[str]) -> Iterator[tuple[str, bytes | None]]:
        return ((name, self.read(name)) for name in names)

    def _read_remote(self, names: list[str]) -> Iterator[tuple[str, bytes | None]]:
        by_place = {self.checked_place(name): name for name in names}
        with self._errors_explained():
            got = self.fs.cat(list(by_place), on_error="return")
            failed = [
                e for e in got.values() if isinstance(e, Exception) and not isinstance(e, FileNotFoundError)
            ]
            if failed:
                raise failed[0]
        if len(got) < len(by_place) or any(isinstance(content, Exception) for content in got.values()):
            self._require_bucket()
        return ((by_place[place], content) for place, content in got.items() if isinstance(content, bytes))

    def _errors_explained(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.local else _errors_explained(self.url)

    def _require_bucket(self) -> None:
        """Raises StoreError if the bucket does not exist; asked once. Some servers would make it at the first PUT."""
        if not self._bucket_seen:
            bucket = self.root.partition("/")[0]
            with self._errors_explained():
                if not self.fs.exists(bucket):
                    raise StoreError(
                        f"the bucket {bucket} of the store {self.url} does not exist, or nobody may see it with "
                        "these credentials; make it first, or correct O1_STORE"
                    )
            self._bucket_seen = True


def _open_url(url: str) -> tuple[Any, str]:
    """The file system and the path in it. Raises StoreError when nothing can open such a URL here."""
    import fsspec

    if odd := sorted(set(url) & set("*?[]")):
        raise StoreError(
            f"O1_STORE is {url}: fsspec takes a name with {odd[0]} for a pattern; use another name"
        )
    try:
        # Another process may write at any time, so what a listing said once is never believed.
        fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        s3 = _protocol(url) in ("s3", "s3a")
        remedy = "install it with `pip install 'o1-assets[s3]'`" if s3 else str(error)
        raise StoreError(f"the store {url} needs a package that is not installed: {remedy}") from None
    except ValueError as error:
        raise StoreError(f"the store {url} cannot be opened: {error}; correct O1_STORE") from None
    return fs, root.rstrip("/")


def _has_bucket(url: str) -> bool:
    """Whether the first part of the path is a bucket, which has to exist before anything can be written."""
    return _protocol(url) in _BUCKETS


def _protocol(url: str) -> str:
    return url.partition("://")[0]


@contextmanager
def _errors_explained(url: str) -> Iterator[None]:
    """Around every request: turns what a client raises into a StoreError."""
    try:
        yield
    except FileNotFoundError:  # an answer, and no failure
        raise
    except PermissionError as error:
        raise StoreError(
            f"the store {url} refuses access ({error}); check the credentials (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or the AWS profile) and their rights"
        ) from None
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _CLIENTS:
            raise StoreError(
                f"the store {url} cannot be reached ({error or type(error).__name__}); check O1_STORE, the "
                "network and, for S3, the credentials and AWS_ENDPOINT_URL"
            ) from None
        raise


def _walk_folder(root: Path, folder: str) -> Iterator[Stored]:
    """Every file below `folder`; links, and what is behind them, are left out."""
    parts = folder.split("/")
    todo = [folder]
    if any(root.joinpath(*parts[: n + 1]).is_symlink() for n in range(len(parts))):
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


def _listed(root: str, answer: dict[str, dict[str, Any]]) -> Iterator[Stored]:
    """What fsspec's `find` answers; a key with a part that a path could not have is left out."""
    for path, info in answer.items():
        name = str(path).removeprefix(f"{root}/")
        if not {"", ".", ".."} & set(name.split("/")):
            yield Stored(name, int(info.get("size") or 0), _modified(info))


def _modified(info: dict[str, Any]) -> float:
    """When a file was modified, in seconds since 1970."""
    # Each server's client names the time in its own way. Where none is given it is now: young files are not removed.
    for field in ("LastModified", "mtime", "last_modified", "updated", "created"):
        value = info.get(field)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return time.time()
