"""Which rounds have label batches that their label table is not made of yet. Reads manifests, never labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from o1_assets.artifact import Artifact
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox import PEOPLE, Inbox
from o1_assets.labels.progress import round_progress, selected_solutions
from o1_assets.store.store import ArtifactStore

STAGE = "label_batches"


@dataclass(frozen=True)
class Arrivals:
    """ready: round -> version of its batches. waiting: round -> why what has arrived does not let it go on."""

    ready: dict[str, str]
    waiting: dict[str, str]


def batches_key(round_name: str) -> str:
    return f"{round_name}/{STAGE}"


def arrivals(graph: Mapping[str, Artifact], store: ArtifactStore, inbox: Inbox) -> Arrivals:
    """What the inbox holds against what the store is made of: no memory of earlier looks is needed.

    A batch that `o1 run` has taken meanwhile is no news, and one that arrived while a run was reading the inbox
    still is, because a manifest records the version of the batches it was really made of.
    """
    found = Arrivals({}, {})
    for key, artifact in graph.items():
        config = artifact.config
        if not isinstance(config, LabelBatchesConfig) or not inbox.accepted(config.round, PEOPLE):
            continue
        head, version = store.head(key), inbox.version(config.round)
        if head is not None and head.external == version:
            continue
        reason = _reason_to_wait(config, store, inbox)
        if reason:
            found.waiting[config.round] = reason
        else:
            found.ready[config.round] = version
    return found


def _reason_to_wait(config: LabelBatchesConfig, store: ArtifactStore, inbox: Inbox) -> str:
    head = store.head(f"{config.round}/selection")
    if head is None:
        return "its selection was never made; `o1 run` makes it"
    if config.annotator != "human":
        return ""
    wanted = selected_solutions(store.path(head.digest))
    progress = round_progress(inbox, config.round, wanted, config.min_rated_share or 0.0)
    return "" if progress.enough else str(progress)
