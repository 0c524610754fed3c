"""Which rounds have label batches that their label table is not made of yet. Reads manifests, never labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from o1_assets.artifact import Artifact
from o1_assets.labels.batch import PEOPLE
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.filed import NO_BATCHES
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.progress import round_progress, selected_solutions
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

STAGE = "label_batches"


@dataclass(frozen=True)
class Short:
    """What has arrived, of that version, does not let a round go on: why, and the figures of how far it is."""

    version: str
    why: str
    figures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrivals:
    """ready: round -> version of its batches. waiting: the rounds whose batches are too few."""

    ready: dict[str, str]
    waiting: dict[str, Short]


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
        if not isinstance(config, LabelBatchesConfig):
            continue
        head, version = store.head(key), artifact.external() if artifact.external else ""
        if head is not None and head.external == version:
            continue
        # Where there are no batches now there may have been some: they were withdrawn.
        if not inbox.accepted(config.round, PEOPLE) and _took_none(head):
            continue
        short = _short(config, store, inbox, version)
        if short:
            found.waiting[config.round] = short
        else:
            found.ready[config.round] = version
    return found


def _took_none(head: Manifest | None) -> bool:
    """Whether no batch of people's was among what a version was made of."""
    return head is None or (head.external or NO_BATCHES).split(" ")[0] == NO_BATCHES


def _short(config: LabelBatchesConfig, store: ArtifactStore, inbox: Inbox, version: str) -> Short | None:
    head = store.head(f"{config.round}/selection")
    if head is None:
        return Short(version, "its selection was never made; `o1 run` makes it")
    if not config.waits_for_people:
        return None
    wanted = selected_solutions(store.verified(head.digest))
    progress = round_progress(inbox, config, wanted)
    return None if progress.enough else Short(version, str(progress), progress.figures())
