"""What steps of other processes report, told to whoever watches the run in this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg

from o1_assets.core.artifact import Artifact
from o1_assets.execution.progress import watcher
from o1_assets.store.store import ArtifactStore

Tell = Callable[[dg.DagsterEvent], None]


def relay(graph: dict[str, Artifact], open_store: Callable[[], ArtifactStore]) -> Tell:
    """Called with each event of a run, in the process that `o1 run` watches; elsewhere nobody does.

    A progress line inside of an artifact is only in Dagster's log: it is no event.
    """

    waits: set[str] = set()

    def tell(event: dg.DagsterEvent) -> None:
        watch = watcher()
        if watch is None:
            return
        key = str(event.step_key).replace("__", "/")
        if event.event_type == dg.DagsterEventType.STEP_START and key in graph:
            watch.started(key)
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and key in graph:
            told = event.materialization.metadata
            version, cache = _value(told, "manifest"), _value(told, "cache")
            watch.made(key, open_store().manifest(key, version), cache == "hit")
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            checked = event.asset_check_evaluation_data
            of, why = "/".join(checked.asset_key.path), checked.description or ""
            if _value(checked.metadata, "waits"):
                if of not in waits:  # each of its checks says so
                    watch.waits(of, why)
                waits.add(of)
            elif not checked.passed:
                watch.check_failed(of, checked.check_name, why)

    return tell


def _value(metadata: Any, name: str) -> Any:
    found = metadata.get(name)
    return getattr(found, "value", found)
