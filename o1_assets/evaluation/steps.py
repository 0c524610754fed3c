"""Steps of held-out solutions: the oracle's rating beside what the PRM thinks, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core.artifact import Figures
from o1_assets.evaluation.step_f1 import NO_ERROR, cross_fitted_f1

SCHEMA = {
    "solution_id": pl.String,
    "problem_id": pl.String,
    "sample": pl.Int32,
    "step": pl.Int32,
    "text": pl.String,
    "rating": pl.Int8,
    "p_right": pl.Float64,
}


def rated_steps(solutions: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """One row a step: rating by the oracle (null where it does not cover the problem), P(right) by the PRM.

    solutions need the column p_right. Only steps that the PRM read are listed.
    """
    from o1_assets.labels.annotators.arithmetic_checker import rate_steps
    from o1_assets.labels.annotators.oracle import Oracle

    oracle, by_id = Oracle(), {row["problem_id"]: row for row in problems.iter_rows(named=True)}
    rows: list[tuple[Any, ...]] = []
    for s in solutions.iter_rows(named=True):
        problem: Mapping[str, Any] = by_id[s["problem_id"]]
        ratings: list[int | None] = [None] * len(s["steps"])
        if oracle.covers(problem):
            ratings = list(rate_steps(problem, s["steps"]))
        for i, (text, rating, p) in enumerate(zip(s["steps"], ratings, s["p_right"], strict=False)):
            rows.append((s["solution_id"], s["problem_id"], s["sample"], i, text, rating, p))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def step_figures(steps: pl.DataFrame) -> Figures:
    """Step F1 with the threshold chosen on other problems; nothing where no step was rated."""
    solutions = (
        steps.drop_nulls("rating")
        .group_by("problem_id", "sample", maintain_order=True)
        .agg(pl.col("rating"), pl.col("p_right"))
    )
    if solutions["problem_id"].n_unique() < 2:
        return {}
    truth = [ratings.index(-1) if -1 in ratings else NO_ERROR for ratings in solutions["rating"].to_list()]
    p_right = [np.array(p) for p in solutions["p_right"].to_list()]
    result, thresholds = cross_fitted_f1(p_right, truth, solutions["problem_id"].to_list())
    return {
        "step_f1": result.f1,
        "step_accuracy_wrong": result.accuracy_wrong,
        "step_accuracy_right": result.accuracy_right,
        "step_threshold": float(np.mean(thresholds)),
        "step_wrong_solutions": result.wrong,
        "step_right_solutions": result.right,
    }


def correction_figures(steps: pl.DataFrame, word: str) -> Figures:
    """How often solutions say `wait`, how often rightly, and how many wrong operations are repaired at once.

    wait_share: solutions with a correction; wait_right_share: corrections that fix the step before them;
    wait_needless_share: corrections of a step that was right; repaired_share: first wrong steps, not being
    the answer or a correction, whose next step is a right correction.
    """
    per = ["problem_id", "sample"]
    table = steps.sort(*per, "step").with_columns(wait=pl.col("text").str.starts_with(word + " "))
    table = table.with_columns(
        before=pl.col("rating").shift(1).over(per),
        fixed=(pl.col("wait") & (pl.col("rating") > 0)).shift(-1).over(per).fill_null(False),
        last=pl.col("step") == pl.col("step").max().over(per),
    )
    waits = table.filter("wait").drop_nulls("rating")
    wrong = table.filter((pl.col("rating") < 0) & ~pl.col("wait") & ~pl.col("last"))
    first_wrong = wrong.group_by(per, maintain_order=True).first()
    solutions = table.select(per).n_unique()
    return {
        "wait_share": table.filter("wait").select(per).n_unique() / solutions if solutions else None,
        "wait_right_share": _share(waits["rating"] > 0),
        "wait_needless_share": _share((waits["before"] >= 0) & (waits["rating"] >= 0)),
        "repaired_share": _share(first_wrong["fixed"]),
    }


def _share(values: pl.Series) -> float | None:
    return float(values.fill_null(False).sum() / len(values)) if len(values) else None
