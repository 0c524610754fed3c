"""How far the rating of a round is: from the selection's ids and the batches' lists of ids, never from labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from o1_assets.core.artifact import Artifact
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.gold import lead_batches
from o1_assets.labels.inbox.batch import PEOPLE
from o1_assets.labels.inbox.batches_on_disk import NO_BATCHES
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore


@dataclass(frozen=True)
class Progress:
    """solutions: of the selection. rated: of them, those that people's batches hold; needed: enough to go on.

    batches: accepted ones from people about this selection; others: accepted ones about other solutions only
    (the selection has changed since); quarantined: files of which a part or all was refused.
    A solution counts as rated when a record of it came back, be it as give_up or bad_problem.
    """

    solutions: int
    rated: int
    needed: int
    batches: int
    others: int
    quarantined: int

    @property
    def enough(self) -> bool:
        return self.batches > 0 and self.rated >= self.needed

    def figures(self) -> dict[str, int]:
        return {**asdict(self), "not_rated": self.solutions - self.rated}

    def __str__(self) -> str:
        return ", ".join(
            [
                f"{self.rated} of {self.solutions} solutions rated",
                *([f"{self.needed} needed"] if not self.enough else []),
                f"{_count(self.batches, 'batch')} accepted",
                *([f"{self.others} more about other solutions"] if self.others else []),
                *([f"{self.quarantined} quarantined"] if self.quarantined else []),
            ]
        )


@dataclass(frozen=True)
class Listing:
    """People's batches of a round at one moment. version: what `Inbox.version` says of exactly these."""

    version: str
    solutions: dict[str, Set[str]]

    def without(self, digests: Set[str]) -> Listing:
        return Listing(self.version, {d: s for d, s in self.solutions.items() if d not in digests})


def people_batches(inbox: Inbox, round_name: str) -> Listing:
    """The batches and their version, read as one: a batch that arrives in between is in both or in neither."""
    while True:
        version = inbox.version(round_name)
        digests = inbox.accepted(round_name, PEOPLE)
        if inbox.version(round_name) == version:
            return Listing(version, {d: frozenset(inbox.solutions(round_name, d)) for d in digests})


def round_progress(
    inbox: Inbox, config: LabelBatchesConfig, wanted: Set[str], arrived: Listing | None = None
) -> Progress:
    """wanted: ids of the selection's solutions. arrived: people's batches, if they were listed already.

    What leads say of gold rates nothing.
    """
    name = config.round
    arrived = arrived or people_batches(inbox, name)
    raters = arrived.without(lead_batches(inbox, name, config.quality)).solutions.values()
    about = [solutions for solutions in raters if solutions & wanted]
    return Progress(
        solutions=len(wanted),
        rated=len(wanted & frozenset[str]().union(*about)),
        needed=max(1, math.ceil(round((config.min_rated_share or 0.0) * len(wanted), 6))),
        batches=len(about),
        others=len(raters) - len(about),
        quarantined=len(inbox.quarantined(name)),
    )


def selected_solutions(selection: Path) -> frozenset[str]:
    """Ids of the solutions of a selection's folder that have a step to rate."""
    column = pl.read_parquet(selection / "completions.parquet", columns=["solution_id"])["solution_id"]
    return frozenset(column.unique())


def what_to_do(round_name: str, progress: Progress) -> str:
    """What a round that waits for people waits for, and the commands that go on."""
    return (
        f"{round_name} waits for labels from people ({progress}): `o1 labels export {round_name}` writes what is "
        f"to be rated, `o1 labels submit FILE --round {round_name}` takes it back; "
        f"in a browser: `make labeling`, `o1 labels studio push {round_name}`"
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}es"


# Which rounds have label batches that their label table is not made of yet. Reads manifests, never labels.

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
