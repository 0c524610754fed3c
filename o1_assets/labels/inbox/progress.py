"""How far the rating of a round is, which rounds have new batches, and what depends on a batch.

Progress comes from the selection's ids and the batches' lists of ids, arrivals from manifests: a sensor asks for both
every few seconds, so neither parses labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path

from o1_assets.core.artifact import Artifact
from o1_assets.core.errors import unique_prefix
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.batch import RATINGS, BatchManifest, DamagedBatch, batch_sources
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import NO_BATCHES, PEOPLE, lead_batches
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

BATCHES = "label_batches"
"""The stage of a round that holds what was rated."""
SHORTEST = 4
"""Digits of a batch's digest that have to be given."""


@dataclass(frozen=True)
class Progress:
    """solutions: of the selection. rated: those of them that people's batches hold; needed: enough to go on.

    batches: accepted ones from people about this selection; others: accepted ones about other solutions only (the
    selection has changed since); quarantined: files that were refused in part or as a whole.
    A solution counts as rated when a record of it came back, even as give_up or bad_problem.
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
                f"{self.batches} {'batch' if self.batches == 1 else 'batches'} accepted",
                *([f"{self.others} more about other solutions"] if self.others else []),
                *([f"{self.quarantined} quarantined"] if self.quarantined else []),
            ]
        )


@dataclass(frozen=True)
class Listing:
    """People's batches of a round at one moment. version: what `Inbox.version` returns for exactly these."""

    version: str
    solutions: dict[str, Set[str]]

    def without(self, digests: Set[str]) -> Listing:
        return Listing(self.version, {d: s for d, s in self.solutions.items() if d not in digests})


NOBODY = Listing(NO_BATCHES, {})
"""What a round has from people that does not use what they send."""


def people_version(inbox: Inbox, config: LabelBatchesConfig) -> str:
    """The version of the people's batches that the round uses."""
    return inbox.version(config.round) if config.uses_people else NO_BATCHES


def inbox_notices(inbox: Inbox, config: LabelBatchesConfig) -> list[str]:
    """What whoever leads the labelling has to know of the round's part of the inbox: damage, and unused labels."""
    notices = [str(damage) for damage in inbox.damages(config.round)]
    people = [] if config.uses_people else inbox.accepted(config.round, PEOPLE)
    if people:
        solutions = len(set[str]().union(*(inbox.solutions(config.round, digest) for digest in people)))
        notices.append(
            f"{config.round} is rated by {config.annotator}: people's labels of {solutions} "
            f"{'solution' if solutions == 1 else 'solutions'} are kept and not used; {how_to_use_them(config)}"
        )
    return notices


def loop_rounds(graph: Mapping[str, Artifact]) -> list[LabelBatchesConfig]:
    """How each round of the loop is rated, in their order.

    An experiment has rounds too, with the same names and a key of their own: they are rated apart from the inbox.
    """
    configs = [(key, artifact.config) for key, artifact in graph.items() if key.endswith(f"/{BATCHES}")]
    return [c for key, c in configs if isinstance(c, LabelBatchesConfig) and key == batches_key(c.round)]


def all_notices(rounds: Iterable[LabelBatchesConfig], inbox: Inbox) -> dict[str, list[str]]:
    """Round -> its notices, if it has any."""
    notices = {config.round: inbox_notices(inbox, config) for config in rounds}
    return {name: lines for name, lines in notices.items() if lines}


def how_to_use_them(config: LabelBatchesConfig) -> str:
    return (
        f"`o1 labels switch {config.round} human` has people alone rate it, `o1 labels switch {config.round} "
        f"human+{config.annotator}` has {config.annotator} rate what they have not"
    )


def people_batches(inbox: Inbox, round_name: str) -> Listing:
    """The batches and their version, read as one: a batch that arrives in between is in both or in neither."""
    # The version is read before and after the list. If it is the same, the list belongs to it.
    while True:
        version = inbox.version(round_name)
        digests = inbox.accepted(round_name, PEOPLE)
        if inbox.version(round_name) == version:
            return Listing(version, {d: frozenset(inbox.solutions(round_name, d)) for d in digests})


def round_progress(
    inbox: Inbox, config: LabelBatchesConfig, wanted: Set[str], listing: Listing | None = None
) -> Progress:
    """wanted: ids of the selection's solutions. listing: people's batches, if they were listed already."""
    name = config.round
    listing = listing or people_batches(inbox, name)
    # The leads' batches become gold, not labels, so they bring the round no further.
    batches = listing.without(lead_batches(inbox, name, config.quality)).solutions.values()
    about_selection = [solutions for solutions in batches if solutions & wanted]
    return Progress(
        solutions=len(wanted),
        rated=len(wanted & frozenset[str]().union(*about_selection)),
        # Rounded first: 0.55 * 100 is 55.00000000000001, which would ask for one solution more.
        needed=max(1, math.ceil(round((config.min_rated_share or 0.0) * len(wanted), 6))),
        batches=len(about_selection),
        others=len(batches) - len(about_selection),
        quarantined=len(inbox.quarantined(name)),
    )


def selected_solutions(selection: Path) -> frozenset[str]:
    """Ids of the solutions in a selection's folder that have a step to rate."""
    from o1_assets.core.tables import read_parquet

    column = read_parquet(selection / "completions.parquet", columns=["solution_id"])["solution_id"]
    return frozenset(column.unique())


def what_to_do(round_name: str, progress: Progress) -> str:
    """What a round waits for, and the commands by which people go on."""
    return (
        f"{round_name} waits for labels from people ({progress}): `o1 labels export {round_name}` writes what is "
        f"to be rated, `o1 labels submit FILE --round {round_name}` takes it back; "
        f"in a browser: `o1 labels serve`, `o1 labels invite NAME`"
    )


@dataclass(frozen=True)
class IncompleteRound:
    """A round whose batches, of that version, are too few to go on: why, and the figures of its progress."""

    version: str
    why: str
    figures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrivals:
    """Rounds whose label table is not made of their batches of today.

    ready: round -> version of its batches. waiting: the rounds whose batches are too few. notices: round -> what has
    to be known of its part of the inbox (`inbox_notices`), if there is anything.
    """

    ready: dict[str, str]
    waiting: dict[str, IncompleteRound]
    notices: dict[str, list[str]]


def batches_key(round_name: str) -> str:
    return f"{round_name}/{BATCHES}"


def arrivals(graph: Mapping[str, Artifact], store: ArtifactStore, inbox: Inbox) -> Arrivals:
    """Compares the batches in the inbox with those that the store's manifests record."""
    rounds = loop_rounds(graph)
    # Nothing remembers earlier comparisons. A batch that `o1 run` has used meanwhile is no news; one that arrived
    # while a run was reading the inbox still is, because the manifest records the version that was really read.
    news = Arrivals({}, {}, all_notices(rounds, inbox))
    for config in rounds:
        # A round that was switched to a machine, or whose switch was lost, is for `o1 run`: no labels have arrived.
        if not config.uses_people:
            continue
        key = batches_key(config.round)
        artifact = graph[key]
        # `external` is the version of the batches that the round's table was made of.
        head, version = store.head(key), artifact.external() if artifact.external else ""
        if head is not None and head.external == version:
            continue
        # Where there are no batches now there may have been some: they were withdrawn.
        if not inbox.accepted(config.round, PEOPLE) and _made_without_batches(head):
            continue
        incomplete = _incomplete(config, store, inbox, version)
        if incomplete:
            news.waiting[config.round] = incomplete
        else:
            news.ready[config.round] = version
    return news


def _made_without_batches(head: Manifest | None) -> bool:
    return head is None or (head.external or NO_BATCHES).split(" ")[0] == NO_BATCHES


def _incomplete(
    config: LabelBatchesConfig, store: ArtifactStore, inbox: Inbox, version: str
) -> IncompleteRound | None:
    head = store.head(f"{config.round}/selection")
    if head is None:
        return IncompleteRound(version, "its selection was never made; `o1 run` makes it")
    if not config.waits_for_people:
        return None
    progress = round_progress(inbox, config, selected_solutions(store.verified(head.digest)))
    return None if progress.enough else IncompleteRound(version, str(progress), progress.figures())


def find_batch(inbox: Inbox, rounds: list[str], name: str, withdrawn: bool) -> tuple[str, str]:
    """Round and digest of the one batch of `rounds` whose digest begins with `name`.

    withdrawn: among those that are, else among the accepted ones. Raises ValueError when there is none or more than
    one.
    """
    if len(name) < SHORTEST:
        raise ValueError(f"{name!r} is too short for a batch; give its first {SHORTEST} hex digits or more")
    accepted, taken_out = (
        {
            f"{digest} of {round_name}": (round_name, digest)
            for round_name in rounds
            for digest in list_batches(round_name)
        }
        for list_batches in (inbox.names, inbox.withdrawn)
    )
    candidates, others = (taken_out, accepted) if withdrawn else (accepted, taken_out)
    # "Already withdrawn" helps more than "no such batch".
    in_other_state = [batch for label, batch in others.items() if label.startswith(name)]
    if in_other_state and not any(label.startswith(name) for label in candidates):
        round_name, digest = in_other_state[0]
        state = (
            "is not withdrawn"
            if withdrawn
            else f"was {inbox.withdrawal(round_name, digest)} already; `o1 labels restore {digest[:12]}` takes it back"
        )
        raise ValueError(f"batch {digest[:12]} of {round_name} {state}")
    matches = {batch for label, batch in candidates.items() if label.startswith(name)}
    # One batch in several rounds: a longer part of its digest would not tell them apart.
    if len({digest for _, digest in matches}) == 1 < len(matches):
        names = " and ".join(round_name for round_name, _ in sorted(matches))
        raise ValueError(f"the batch {name} is in {names}; say which with --round")
    if not matches:
        raise ValueError(
            f"no batch in {inbox.root} begins with {name!r}; `o1 labels trace rNN/labels` names those of a round"
        )
    return unique_prefix(candidates, name, f"batch in {inbox.root}")


@dataclass(frozen=True)
class Impact:
    """What withdrawing a batch would change.

    remade: keys whose version of today was made of the batch, in the order of the data. labels: rows of today's
    label table that come from the batch; ratings: rows that it put in. waits: what the round then waits for, empty
    if it goes on.
    """

    batch: BatchManifest
    remade: list[str]
    labels: int
    ratings: int
    waits: str


def impact(
    graph: Mapping[str, Artifact], store: ArtifactStore, inbox: Inbox, round_name: str, digest: str
) -> Impact:
    """What withdrawing an accepted batch would change. Reads manifests and one round's tables."""
    import polars as pl

    from o1_assets.core.tables import scan_parquet

    remade = made_of(graph, store, round_name, digest)
    counts = {"labels": 0, "label_batches": 0}
    for stage, file in (("labels", "labels.parquet"), ("label_batches", RATINGS)):
        head = store.head(f"{round_name}/{stage}")
        if head is not None and head.key in remade:
            rows = scan_parquet(store.verified(head.digest) / file).filter(pl.col("batch") == digest)
            counts[stage] = int(rows.select(pl.len()).collect().item())
    return Impact(
        _described(inbox, round_name, digest),
        remade,
        counts["labels"],
        counts["label_batches"],
        _waits_without(graph, store, inbox, round_name, digest),
    )


def _described(inbox: Inbox, round_name: str, digest: str) -> BatchManifest:
    """The batch's manifest; of a damaged batch, which nothing was made of, an empty one."""
    try:
        return inbox.manifest(round_name, digest)
    except DamagedBatch:
        return BatchManifest(digest, round_name, PEOPLE, 0, 0, [], "", "", "a day that cannot be read")


def made_of(graph: Mapping[str, Artifact], store: ArtifactStore, round_name: str, digest: str) -> list[str]:
    """Keys whose version of today has the batch in its ancestry, in the order of the data."""
    # The recorded versions count, not the graph's arrows: an artifact of before the batch arrived does not rest on it.
    known: dict[tuple[str, str], bool] = {}

    def rests_on_batch(key: str, version: str) -> bool:
        if (key, version) not in known:
            manifest = store.manifest(key, version)
            known[key, version] = (
                key == batches_key(round_name) and digest in batch_sources(store.verified(manifest.digest))
            ) or any(rests_on_batch(item.key, item.version) for item in manifest.inputs.values())
        return known[key, version]

    # Manifests are read once each, however many artifacts share an ancestor.
    heads = {key: store.head(key) for key in graph}
    return [key for key, head in heads.items() if head is not None and rests_on_batch(key, head.version)]


def _waits_without(
    graph: Mapping[str, Artifact], store: ArtifactStore, inbox: Inbox, round_name: str, digest: str
) -> str:
    artifact = graph.get(batches_key(round_name))
    selection = store.head(f"{round_name}/selection")
    if artifact is None or selection is None or not isinstance(artifact.config, LabelBatchesConfig):
        return ""
    config = artifact.config
    if not config.waits_for_people or _described(inbox, round_name, digest).source != PEOPLE:
        return ""
    wanted = selected_solutions(store.path(selection.digest))
    progress = round_progress(inbox, config, wanted, people_batches(inbox, round_name).without({digest}))
    return "" if progress.enough else what_to_do(round_name, progress)
