"""One run at a time on a store: `o1 run`, the UI and the sensor all compute under the same lock.

Each run also holds a lock named by its id. The system releases both when the process ends, however it ends,
so a run whose own lock is free while its file is still there was killed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from o1_assets.core.errors import O1Error

POLL_SECONDS = 1.0

# A file younger than this may belong to a run that is just about to lock it.
SETTLED_SECONDS = 10.0


class Busy(O1Error):
    """A run is at work on the store."""


# Locks that this process holds and lends to the runs that it starts.
_lent: set[Path] = set()


class RunLock:
    """lock: the file that all runs share. The runs' own files lie in `alive` beside it, named by run and host.

    A run's steps may compute in other processes and on other machines. The process that hands them out holds the lock.
    """

    def __init__(self, lock: Path) -> None:
        self.lock = lock
        self.alive = lock.with_name("alive")

    @contextmanager
    def hold(self, run_id: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Waits for the lock, calling `on_wait` about once a second; what that raises ends the wait."""
        self.alive.mkdir(parents=True, exist_ok=True)
        alive = self._file_of(run_id)
        shared = FileLock(self.lock)
        # Its own lock first: a run that waits is alive too, and must not be taken for one that was killed.
        with FileLock(alive):
            try:
                if self.lent:
                    yield
                    return
                while True:
                    try:
                        lease = shared.acquire(timeout=POLL_SECONDS)
                        break
                    except Timeout:
                        on_wait()
                with lease:
                    yield
            finally:
                alive.unlink(missing_ok=True)

    @property
    def lent(self) -> bool:
        """Whether this process holds the lock for the runs that it starts, and has checked that they can begin."""
        return self.lock in _lent

    @contextmanager
    def lend(self) -> Iterator[None]:
        """Lets the runs that this process starts compute under its lock, without waiting and without checking again.

        To be called by the holder of the lock, after it has checked what the runs require.
        """
        _lent.add(self.lock)
        try:
            yield
        finally:
            _lent.remove(self.lock)

    @contextmanager
    def hold_now(self, what: str) -> Iterator[None]:
        """Keeps runs waiting while something else works on the store. Raises Busy when a run is at work."""
        # Without waiting, because a run may take hours: whoever cleans up is told and comes back.
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            lease = FileLock(self.lock).acquire(timeout=0)
        except Timeout:
            raise Busy(
                f"a run is at work ({self.lock} is held), so {what}; try again when it has ended"
            ) from None
        with lease:
            yield

    def busy(self) -> bool:
        """Whether a run holds the lock at this moment."""
        return self.lock.exists() and not _free(self.lock)

    def killed(self) -> list[str]:
        """Ids of runs of this host whose process was killed, until `forget` is called."""
        # Locks of other hosts cannot be tried from here: on a shared disk they may look free and be held.
        files = sorted(self.alive.glob(f"*@{socket.gethostname()}")) if self.alive.is_dir() else []
        return [path.name.partition("@")[0] for path in files if _settled(path) and _free(path)]

    def forget(self, run_id: str) -> None:
        self._file_of(run_id).unlink(missing_ok=True)

    def strangers(self, older_than: float) -> list[Path]:
        """Files of other hosts' runs that are older than a time (seconds since 1970)."""
        # Only their age tells that nobody needs them: a lock of another host cannot be tried.
        here = f"@{socket.gethostname()}"
        files = sorted(self.alive.glob("*@*")) if self.alive.is_dir() else []
        return [path for path in files if not path.name.endswith(here) and path.stat().st_mtime < older_than]

    def _file_of(self, run_id: str) -> Path:
        return self.alive / f"{run_id}@{socket.gethostname()}"


def _settled(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > SETTLED_SECONDS
    except FileNotFoundError:
        return False


def _free(path: Path) -> bool:
    try:
        with FileLock(path).acquire(timeout=0):
            return True
    except Timeout:
        return False
