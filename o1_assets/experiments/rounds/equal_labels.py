"""Labels of an arm that rates more solutions and writes less, cut to as many as its control has.

A written step counts as one label, as a rating does. That favours writing: a step takes a person longer to write than
to rate.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.estimate import Estimate, EstimateContext
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.estimate import estimate_labels
from o1_assets.labels.label_table import label_figures, make_labels
from o1_assets.labels.written import FILE, read_written


def make_equal_labels(task: Task, config: LabelsConfig) -> Outcome:
    """As `make_labels`, of a part of the solutions. One more input: budget, the control's labels of the same round.

    Solutions are kept in a random order for as long as their labels fit. By their order in the selection the last ones,
    which are right more often, would be left out first.
    """
    outcome = make_labels(task, config)
    budget, made = (labels_a_solution(folder) for folder in (task.inputs["budget"], task.out))
    shuffled = made.sort("solution_id").sample(
        fraction=1.0, shuffle=True, seed=derive_seed(task.seed, "kept")
    )
    kept = shuffled.filter(pl.col("labels").cum_sum() <= budget["labels"].sum())["solution_id"].implode()
    for file in sorted(task.out.glob("*.parquet")):
        table = read_parquet(file)
        if "solution_id" in table.columns:
            table.filter(pl.col("solution_id").is_in(kept)).write_parquet(file)
    labels, written = read_parquet(task.out / "labels.parquet"), read_written(task.out)
    figures = {
        **outcome.figures,
        **label_figures(labels, written if (task.out / FILE).exists() else None),
        "labels_allowed": int(budget["labels"].sum()),
    }
    return replace(outcome, figures=figures, rows=labels.height)


def estimate_equal_labels(context: EstimateContext, config: LabelsConfig) -> Estimate:
    """As many labels as the control has."""
    estimate = estimate_labels(context, config)
    return replace(estimate, labels=min(estimate.labels, context["budget"].labels))


def labels_a_solution(folder: Path) -> pl.DataFrame:
    """Columns solution_id and labels: its ratings and the steps that labellers wrote in it."""
    ratings = read_parquet(folder / "labels.parquet").select(
        "solution_id", labels=pl.col("rating").is_not_null()
    )
    written = read_written(folder).select("solution_id", labels=pl.col("written").list.sum())
    both = pl.concat([ratings.cast({"labels": pl.Int64}), written.cast({"labels": pl.Int64})])
    return both.group_by("solution_id").agg(pl.col("labels").sum())
