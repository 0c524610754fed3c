"""The watcher of a run in this process: told when an artifact starts, reports a line of progress, and is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from o1_assets.store.manifest import Manifest


# A protocol in this layer, so that what computes reports without knowing the terminal.
class Watcher(Protocol):
    def started(self, key: str) -> None: ...
    def line(self, key: str, text: str) -> None: ...
    def made(self, key: str, manifest: Manifest, cached: bool) -> None: ...
    def waits(self, key: str, why: str) -> None: ...
    def failed(self, key: str, why: str) -> None: ...
    def check_failed(self, key: str, check: str, message: str) -> None: ...


# A context variable, because Dagster calls the bodies of assets and hands no argument of ours through.
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def watcher() -> Watcher | None:
    return _watcher.get()
