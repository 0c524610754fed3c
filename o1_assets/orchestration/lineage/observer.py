"""One artifact's OpenLineage run: START, then COMPLETE, FAIL, or ABORT where it waits for people.

Called from the body that `o1 run` and the UI's runs share. Nothing happens unless an emitter is configured, and
nothing here raises.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from o1_assets.core.artifact import Artifact
from o1_assets.orchestration.lineage.emitter import Emitter, emitter
from o1_assets.orchestration.lineage.events import Observed, Parent
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore


class Lineage:
    """`started` at once; then one of the others."""

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
            from o1_assets.orchestration.lineage import events

            make: Callable[..., Any] = getattr(events, name)
            return make(observed, moment, *arguments)

        self.to.send(event)
