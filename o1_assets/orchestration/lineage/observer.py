"""Reports each artifact to an OpenLineage collector: START, then COMPLETE, FAIL, or ABORT where it waits for people.

It is called from the body of an asset, which `o1 run` and the UI's runs share. Events are made and sent by a thread of
their own: a run neither waits for them nor fails on them, and without a configuration nothing happens at all.

O1_OPENLINEAGE names the collector: file:///PATH.jsonl, or http(s)://HOST[/PATH] (/api/v1/lineage without a path, the
key in OPENLINEAGE_API_KEY). Without it the library's own configuration counts: OPENLINEAGE_URL, OPENLINEAGE_CONFIG,
OPENLINEAGE__TRANSPORT__... OPENLINEAGE_DISABLED=true switches everything off.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.util import Finalize
from typing import Any
from urllib.parse import urlsplit

from o1_assets.core.artifact import Artifact
from o1_assets.orchestration.lineage import Observed, Parent
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

PLACE = "O1_OPENLINEAGE"
LIBRARY_SETTINGS = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
LIBRARY_PREFIX = "OPENLINEAGE__TRANSPORT"

# The most events that may wait to be sent; further ones are dropped. A collector that hangs must not fill the memory.
WAITING = 1000

# How long one event may take, and how long the end of a process waits for those not sent yet.
SECONDS = 5.0

log = logging.getLogger(__name__)


class Lineage:
    """The events of one attempt: START when it is created, then one of `completed`, `waits` and `failed`."""

    def __init__(self, observed: Observed, to: Emitter | None) -> None:
        self.observed, self.to = observed, to

    @classmethod
    def start(cls, artifact: Artifact, profile: str, parent: Parent, store: ArtifactStore) -> Lineage:
        to = emitter()
        lineage = cls(Observed(artifact, profile, parent, store), to)
        lineage._send("started")
        return lineage

    def completed(self, manifest: Manifest, cached: bool) -> None:
        self._send("completed", manifest, cached)

    def waits(self, why: str) -> None:
        self._send("aborted", why)

    def failed(self, error: BaseException) -> None:
        self._send("failed", str(error) or type(error).__name__, traceback.format_exc())

    def _send(self, name: str, *arguments: Any) -> None:
        if self.to is None:
            return
        observed, moment = self.observed, datetime.now(UTC).isoformat()

        def event() -> Any:
            # Here, in the sending thread: the library is an extra, and takes a moment to import.
            from o1_assets.orchestration.lineage import events

            make: Callable[..., Any] = getattr(events, name)
            return make(observed, moment, *arguments)

        self.to.send(event)


class Emitter:
    """Sends events in a thread. connect: opens the client, in that thread.

    The first error is logged as a warning, later ones are only counted.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.connect = connect
        self.lost = 0
        self.warned = False
        self._queue: queue.Queue[Callable[[], Any] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._send_all, name="openlineage", daemon=True)
        self._thread.start()
        # Also called where a process of a pool ends, which atexit is not.
        self._finalize = Finalize(self, self._end, exitpriority=10)

    def send(self, event: Callable[[], Any]) -> None:
        """Queues an event. event: a function that makes it, called in the sending thread."""
        # Never blocking: lineage may lose events, and may not hold up a run.
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._failed("too many events wait to be sent")

    def flush(self, seconds: float = SECONDS) -> bool:
        """Waits until everything was sent or lost; False if that took longer."""
        deadline = time.monotonic() + seconds
        while self._queue.unfinished_tasks:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _end(self) -> None:
        if not self.flush():
            self._failed(f"{self._queue.unfinished_tasks} events were not sent in {SECONDS:.0f} s")

    def _send_all(self) -> None:
        client: Any = None
        while True:
            event = self._queue.get()
            try:
                if event is not None:
                    client = client or self.connect()
                    client.emit(event())
            except Exception as error:  # whatever it is, the thread goes on with the next event
                self._failed(f"{type(error).__name__}: {error}")
            finally:
                self._queue.task_done()

    def _failed(self, why: str) -> None:
        self.lost += 1
        if not self.warned:
            self.warned = True
            log.warning("OpenLineage events are being lost, the run goes on: %s", why.splitlines()[0][:300])


_emitters: dict[str, Emitter] = {}
_lock = threading.Lock()


def emitter() -> Emitter | None:
    """This process's emitter to the collector that the environment names; None if none is configured."""
    place = os.environ.get(PLACE, "")
    configured = any(name in LIBRARY_SETTINGS or name.startswith(LIBRARY_PREFIX) for name in os.environ)
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true" or not (place or configured):
        return None
    with _lock:
        if place not in _emitters:
            _emitters[place] = Emitter(lambda: _client(place))
        return _emitters[place]


def _client(place: str) -> Any:
    """A client for the collector. Raises ImportError with the remedy, or ValueError on an address that is none."""
    try:
        from openlineage.client import OpenLineageClient
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.transport.http import HttpConfig, HttpTransport
    except ImportError:
        raise ImportError(
            f"{PLACE} is set, but openlineage-python is not there; install o1-assets[lineage]"
        ) from None
    # The emitter counts failures and warns once; the library and urllib3 would log each of them.
    for name in ("openlineage", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not place:
        return OpenLineageClient()
    url = urlsplit(place)
    if url.scheme == "file" and url.path:
        return OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=place, append=True)))
    if url.scheme in ("http", "https") and url.netloc:
        config: dict[str, Any] = {
            "url": f"{url.scheme}://{url.netloc}",
            "endpoint": url.path.strip("/") or "api/v1/lineage",
            "timeout": SECONDS,
            "retry": {"total": 1},
        }
        if key := os.environ.get("OPENLINEAGE_API_KEY"):
            config["auth"] = {"type": "api_key", "apiKey": key}
        return OpenLineageClient(transport=HttpTransport(HttpConfig.from_dict(config)))
    raise ValueError(f"{PLACE}={place} is neither file:///PATH nor http(s)://HOST[/PATH]")
