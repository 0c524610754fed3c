"""A round's labels as rated solutions, read from one version of rNN/labels and what that was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from o1_assets.core.tables import read_parquet
from o1_assets.labels.inbox.batch import RECORDS, batch_sources
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.selection import Selection
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

PERSON = "person"


@dataclass(frozen=True)
class LabelledSolution:
    """texts: step -> completions, the own one first. ratings: (step, completion) -> rating; a null one of an own step
    says that a labeller wrote the step. problem, row: of problems.parquet and of the selection's solutions.parquet.
    labelers: who rated it. moment: of the newest record about it, in microseconds since 1970.
    """

    round: str
    solution_id: str
    texts: list[list[str]]
    ratings: Mapping[tuple[int, int], int | None]
    problem: Mapping[str, Any]
    row: Mapping[str, Any]
    labelers: tuple[str, ...]
    moment: int

    @property
    def own_steps(self) -> list[str]:
        return [texts[0] for texts in self.texts]

    @cached_property
    def own_ratings(self) -> list[int | None]:
        """Of the labelled path: to the first wrong own step, or as far as labels go."""
        ratings = []
        for step in range(len(self.texts)):
            if (step, 0) not in self.ratings:
                break
            ratings.append(self.ratings[step, 0])
        return ratings

    @property
    def first_error(self) -> int | None:
        """The number of the first wrong own step, -1 if all are right; None if the labels do not go so far."""
        wrong = next((i for i, rating in enumerate(self.own_ratings) if (rating or 0) < 0), None)
        if wrong is not None:
            return wrong
        return -1 if len(self.own_ratings) == len(self.texts) else None


@dataclass(frozen=True)
class LabelledRound:
    """labels, selection, batches: the versions that are read. names: of labellers, in the tables -> here."""

    name: str
    labels: Manifest
    selection: Manifest
    batches: Manifest
    names: Mapping[str, str]
    store: ArtifactStore

    @classmethod
    def open(cls, store: ArtifactStore, labels: Manifest, keep_names: bool) -> LabelledRound:
        """Raises StoreError if a byte of what is read has changed."""
        selection, batches = (
            store.manifest(labels.inputs[name].key, labels.inputs[name].version)
            for name in ("selection", "batches")
        )
        names = _names(store, batches, keep_names)
        return cls(labels.key.partition("/")[0], labels, selection, batches, names, store)

    @cached_property
    def table(self) -> pl.DataFrame:
        return read_parquet(self.store.verified(self.labels.digest) / "labels.parquet")

    @cached_property
    def problems(self) -> dict[str, dict[str, Any]]:
        """Rows of problems.parquet by id; an imported selection brings its own."""
        folder = self.store.verified(self.selection.digest)
        if not (folder / "problems.parquet").is_file():
            folder = self.store.verified(self.batches.inputs["train"].digest)
        wanted = self.table["problem_id"].unique().to_list()
        rows = read_parquet(folder / "problems.parquet").filter(pl.col("problem_id").is_in(wanted))
        return {row["problem_id"]: row for row in rows.iter_rows(named=True)}

    def solutions(self) -> Iterator[LabelledSolution]:
        """The labelled solutions in the order of their ids."""
        selection = Selection.load(self.store.verified(self.selection.digest))
        labelled = frozenset(self.table["solution_id"].unique().to_list())
        selection = selection.restricted_to(labelled)
        rows = {row["solution_id"]: row for row in selection.table.iter_rows(named=True)}
        moments = self._moments()
        for (solution,), labels in self.table.group_by("solution_id", maintain_order=True):
            name = str(solution)
            keys = labels.select("step", "completion").iter_rows()
            yield LabelledSolution(
                self.name,
                name,
                selection.steps[name],
                dict(zip(keys, labels["rating"].to_list(), strict=True)),
                self.problems[rows[name]["problem_id"]],
                rows[name],
                tuple(sorted({self.names[labeler] for labeler in labels["labeler"]})),
                moments[name],
            )

    def _moments(self) -> dict[str, int]:
        records = read_parquet(self.store.verified(self.batches.digest) / RECORDS)
        return dict(records.group_by("solution_id").agg(pl.col("moment").max()).iter_rows())


def _names(store: ArtifactStore, batches: Manifest, keep_names: bool) -> dict[str, str]:
    """Machines and published labellers by their names. People, whose names are e-mail addresses, get numbers."""
    folder = store.verified(batches.digest)
    counted = read_parquet(folder / RECORDS).group_by("batch", "labeler").len().sort("labeler")
    sources = batch_sources(folder)
    names: dict[str, str] = {}
    people = dict.fromkeys(labeler for batch, labeler, _ in counted.iter_rows() if sources[batch] == PEOPLE)
    for labeler in counted["labeler"].unique().sort():
        is_hidden = labeler in people and not keep_names
        names[labeler] = f"{PERSON}-{list(people).index(labeler) + 1}" if is_hidden else labeler
    return names
