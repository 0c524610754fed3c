"""What must be made again if a batch is withdrawn: what was made of it, by the recorded versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from o1_assets.core.artifact import Artifact
from o1_assets.core.errors import unique_prefix
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.batch import PEOPLE, RATINGS, BatchManifest
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import (
    batches_key,
    people_batches,
    round_progress,
    selected_solutions,
    what_to_do,
)
from o1_assets.labels.inbox.round_tables import batch_sources
from o1_assets.store.store import ArtifactStore

SHORTEST = 4
"""Digits of a batch's name that have to be given."""


@dataclass(frozen=True)
class Impact:
    """remade: keys whose version of today was made of the batch, in the order of the data.

    labels: rows that are the batch's in the label table of today; ratings: what it put in. waits: what the round
    then waits for, empty if it goes on.
    """

    batch: BatchManifest
    remade: list[str]
    labels: int
    ratings: int
    waits: str


def find_batch(inbox: Inbox, rounds: list[str], name: str, withdrawn: bool) -> tuple[str, str]:
    """Round and digest of the one batch of `rounds` whose digest begins with `name`.

    withdrawn: of those that are, else of the accepted ones. Raises ValueError when there is none or more than one.
    """
    if len(name) < SHORTEST:
        raise ValueError(f"{name!r} is too short for a batch; give its first {SHORTEST} hex digits or more")

    accepted, taken_out = (
        {
            f"{digest} of {round_name}": (round_name, digest)
            for round_name in rounds
            for digest in list_batches(round_name)
        }
        for list_batches in (inbox.accepted, inbox.withdrawn)
    )
    here, elsewhere = (taken_out, accepted) if withdrawn else (accepted, taken_out)
    in_other_state = [batch for label, batch in elsewhere.items() if label.startswith(name)]
    if in_other_state and not any(label.startswith(name) for label in here):
        round_name, digest = in_other_state[0]
        state = (
            "is not withdrawn"
            if withdrawn
            else f"was {inbox.withdrawal(round_name, digest)} already; `o1 labels restore {digest[:12]}` takes it back"
        )
        raise ValueError(f"batch {digest[:12]} of {round_name} {state}")
    return unique_prefix(here, name, f"batch in {inbox.root}")


def impact(
    graph: Mapping[str, Artifact], store: ArtifactStore, inbox: Inbox, round_name: str, digest: str
) -> Impact:
    """What withdrawing an accepted batch would change. Reads manifests and one round's tables."""
    remade = made_of(graph, store, round_name, digest)
    counts = {"labels": 0, "label_batches": 0}
    for stage, file in (("labels", "labels.parquet"), ("label_batches", RATINGS)):
        head = store.head(f"{round_name}/{stage}")
        if head is not None and head.key in remade:
            rows = pl.scan_parquet(store.verified(head.digest) / file).filter(pl.col("batch") == digest)
            counts[stage] = int(rows.select(pl.len()).collect().item())
    return Impact(
        inbox.manifest(round_name, digest),
        remade,
        counts["labels"],
        counts["label_batches"],
        _waits(graph, store, inbox, round_name, digest),
    )


def made_of(graph: Mapping[str, Artifact], store: ArtifactStore, round_name: str, digest: str) -> list[str]:
    """Keys whose version of today has the batch in its ancestry, in the order of the data."""
    known: dict[tuple[str, str], bool] = {}

    def carries(key: str, version: str) -> bool:
        if (key, version) not in known:
            manifest = store.manifest(key, version)
            known[key, version] = (
                key == batches_key(round_name) and digest in batch_sources(store.verified(manifest.digest))
            ) or any(carries(item.key, item.version) for item in manifest.inputs.values())
        return known[key, version]

    heads = {key: store.head(key) for key in graph}
    return [key for key, head in heads.items() if head is not None and carries(key, head.version)]


def _waits(
    graph: Mapping[str, Artifact], store: ArtifactStore, inbox: Inbox, round_name: str, digest: str
) -> str:
    artifact = graph.get(batches_key(round_name))
    selection = store.head(f"{round_name}/selection")
    if artifact is None or selection is None or not isinstance(artifact.config, LabelBatchesConfig):
        return ""
    config = artifact.config
    if not config.waits_for_people or inbox.manifest(round_name, digest).source != PEOPLE:
        return ""
    wanted = selected_solutions(store.path(selection.digest))
    left = round_progress(inbox, config, wanted, people_batches(inbox, round_name).without({digest}))
    return "" if left.enough else what_to_do(round_name, left)
