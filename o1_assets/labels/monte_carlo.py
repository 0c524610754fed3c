"""Annotators that need no checker of steps: a step is as good as the rollouts of the policy that follow it.

They need only the grader of final answers, and they are wrong in known ways: a step that the policy can
recover from is rated positive, one that it cannot finish from is rated negative although it may be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from o1_assets.engine.interface import Engine
from o1_assets.labels.annotator import Path, Request
from o1_assets.labels.config import MonteCarloConfig
from o1_assets.labels.rollouts import Estimate, Rollouts
from o1_assets.labels.selection import Selection

ESTIMATES = {
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32,
    "rollouts": pl.Int32, "right": pl.Int32, "share": pl.Float64,
}  # fmt: skip


class MonteCarlo:
    """An Annotator by Math-Shepherd's estimates (arXiv:2312.08935, section 3.3)."""

    labeler = "monte_carlo"

    def __init__(self, rollouts: Rollouts) -> None:
        self.rollouts = rollouts

    @classmethod
    def open(cls, engine: Engine, config: MonteCarloConfig, seed: int) -> MonteCarlo:
        """The one that config.estimate names."""
        kind = FirstErrorSearch if config.estimate == "first_error" else MonteCarlo
        return kind(Rollouts(engine, config, seed))

    def covers(self, problem: Mapping[str, Any]) -> bool:
        return True

    def rate(self, requests: Sequence[Request]) -> list[int | None]:
        estimates = self.rollouts.estimate([(r.problem, (*r.prefix, r.text)) for r in requests])
        return [rating_of(estimate, self.rollouts.config) for estimate in estimates]

    def estimates(self, selection: Selection) -> pl.DataFrame:
        """One row for each completion of the selection whose rollouts are known (columns of ESTIMATES)."""
        rows = []
        for solution in selection.solution_ids:
            problem = str(selection.problem_of[solution]["problem_id"])
            steps = selection.texts(solution)
            for step, texts in enumerate(steps):
                prefix = tuple(before[0] for before in steps[:step])
                for completion, text in enumerate(texts):
                    found = self.rollouts.known.get((problem, (*prefix, text)))
                    if found is not None:
                        rows.append((solution, step, completion, found.rollouts, found.right, found.share))
        return pl.DataFrame(rows, schema=ESTIMATES, orient="row")


class FirstErrorSearch(MonteCarlo):
    """A PathAnnotator: OmegaPRM's binary search for the first error (arXiv:2406.06592, section 3.2).

    Takes for granted that once the policy cannot reach the answer any more, it cannot later either. A step is
    then judged with about log2(steps) estimates a solution; alternatives are rated by hard estimates.
    """

    def rate_paths(self, paths: Sequence[Path]) -> list[list[int]]:
        """+1 for every step before the first error, -1 for it. All paths advance together.

        The first error of path i lies in [low[i], high[i]]; high[i] = its number of steps: it may have none.
        A path that ends in an answer is graded first, which costs no rollout, and a right one has no error.
        """
        low = [0] * len(paths)
        high = [len(path.steps) for path in paths]
        first = [i for i in range(len(paths)) if high[i]]
        self._probe(paths, first, [high[i] - 1 for i in first], low, high)
        while searching := [i for i in range(len(paths)) if low[i] < high[i]]:
            self._probe(paths, searching, [(low[i] + high[i]) // 2 for i in searching], low, high)
        return [
            [1] * error + [-1] * (error < len(path.steps)) for error, path in zip(low, paths, strict=True)
        ]

    def _probe(
        self, paths: Sequence[Path], which: Sequence[int], at: Sequence[int], low: list[int], high: list[int]
    ) -> None:
        """Narrows the ranges of the paths `which` by an estimate after step at[i] of each."""
        asked = [(paths[i].problem, paths[i].steps[: step + 1]) for i, step in zip(which, at, strict=True)]
        for i, step, estimate in zip(which, at, self.rollouts.estimate(asked), strict=True):
            if estimate.right:
                low[i] = step + 1
            else:
                high[i] = step


def rating_of(estimate: Estimate, config: MonteCarloConfig) -> int:
    """Hard (and for the search): +1 if any rollout is right, else -1 (arXiv:2312.08935, equation 3).

    Soft: the share of right ones against two thresholds, neutral between them.
    """
    if config.estimate != "soft":
        return 1 if estimate.right else -1
    if estimate.share <= config.negative_to:
        return -1
    return 1 if estimate.share >= config.positive_from else 0
