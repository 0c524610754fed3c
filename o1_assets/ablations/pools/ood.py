"""problems/ood: held-out problems of kinds that neither the base's corpus nor any problem of training has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from o1_assets.ablations.pools.config import EXPRESSION, OodConfig, OodKind
from o1_assets.artifact import Outcome, Task
from o1_assets.problems.canonical import flat_expression
from o1_assets.problems.config import ArithmeticFilter
from o1_assets.problems.sources import ProblemError, RawProblem, open_source
from o1_assets.problems.split import allowed, as_table, take
from o1_assets.seeds import derive_seed


def make_ood(task: Task, config: OodConfig) -> Outcome:
    """Writes problems.parquet: as problems/test, and the column `kind`.

    Only the test side of the content hash is taken, so none of them is in any train table with the same
    test_fraction. No question can be in the corpus either: its expression is outside of the corpus' limits, or its
    wording is none of the corpus'. Raises ProblemError where a kind has not enough problems.
    """
    tables, seen = [], set[str]()
    for kind in config.kinds:
        source = Unseen(kind, config.corpus if kind.beyond else None, seen)
        taken = take(source, kind.problems, "test", kind.problems.test, derive_seed(task.seed, kind.name))
        seen |= {problem.canonical for problem in taken.problems}
        asked = [_worded(problem, kind) for problem in taken.problems]
        tables.append(as_table(asked).with_columns(kind=pl.lit(kind.name)))
        task.progress(f"{kind.name}: {len(asked)} problems out of {taken.counts['drawn']} that are new")
    table = pl.concat(tables).sort("problem_id")
    table.write_parquet(task.out / "problems.parquet")
    return Outcome(
        figures={
            "problems": table.height,
            **{kind.name: int((table["kind"] == kind.name).sum()) for kind in config.kinds},
        },
        rows=table.height,
        sample=table.group_by("kind", maintain_order=True).head(3).drop("metadata").to_dicts(),
    )


class Unseen:
    """Problems of a kind that are an expression, without those taken before and those within `limits`.

    Raises ProblemError when the source has brought none in as many draws as its patience.
    """

    def __init__(self, kind: OodKind, limits: ArithmeticFilter | None, seen: set[str]) -> None:
        self.kind, self.limits, self.seen = kind, limits, seen
        self.source = open_source(kind.problems.source)
        self.endless = self.source.endless

    def problems(self, seed: int) -> Iterator[RawProblem]:
        idle = 0
        for problem in self.source.problems(seed):
            expression = flat_expression(problem.canonical)
            new = expression is not None and problem.canonical not in self.seen
            if new and (self.limits is None or not allowed(expression, self.limits)):
                idle = 0
                yield problem
                continue
            idle += 1
            if self.endless and idle >= self.kind.problems.patience:
                raise ProblemError(
                    f"ablations.pools.ood: {idle} problems of the kind {self.kind.name!r} in a row were within the "
                    "corpus' limits; widen its source, or lower the limits in ablations.pools.ood.corpus."
                )


def _worded(problem: RawProblem, kind: OodKind) -> RawProblem:
    if kind.wording is None:
        return problem
    expression = flat_expression(problem.canonical)
    return replace(problem, question=kind.wording.replace(EXPRESSION, str(expression)))
