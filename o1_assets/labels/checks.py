"""What a labelling lead expects of every round's batches and labels."""

from __future__ import annotations

import polars as pl

from o1_assets.core.artifact import Check, CheckContext, Finding


def _enough_rated(context: CheckContext) -> Finding:
    """Of a round of people. A batch table that was made had enough; one that waits fails this with the reason."""
    total, missing = (int(context.figures[name] or 0) for name in ("solutions", "solutions_not_rated"))
    message = f"{total - missing} of {total} solutions rated, in {context.figures['batches']} batches"
    return Finding(total > missing, message, {"solutions": total, "rated": total - missing})


def _not_empty(context: CheckContext) -> Finding:
    labels = int(context.figures["labels"] or 0)
    return Finding(labels > 0, f"{labels} labels", {"labels": labels})


def _prefix_unbroken(context: CheckContext) -> Finding:
    broken = broken_prefixes(pl.read_parquet(context.folder / "labels.parquet"))
    message = f"{broken} ratings stand after an own step that is negative or not rated"
    return Finding(broken == 0, message, {"broken": broken})


def broken_prefixes(labels: pl.DataFrame) -> int:
    """How many rows do not stand after own steps (completion 0) that are all there and none of them negative.

    An own step without a rating was written by a labeller, and is right by their word (`table.py`).
    """
    good = (
        labels.filter((pl.col("completion") == 0) & (pl.col("rating").is_null() | (pl.col("rating") >= 0)))
        .select("solution_id", "step")
        .unique()
        .sort("solution_id", "step")
    )
    # Sorted and counted from zero, a step is its own number for as long as none is missing.
    reach = (
        good.with_columns(number=pl.int_range(pl.len()).over("solution_id"))
        .filter(pl.col("number") == pl.col("step"))
        .group_by("solution_id")
        .agg(reach=pl.len())
    )
    joined = labels.join(reach, on="solution_id", how="left")
    return joined.filter(pl.col("step") > pl.col("reach").fill_null(0)).height


BATCHES = (Check("enough_rated", "Enough of the selection has come back rated to go on.", _enough_rated),)


LABELS = (
    Check("not_empty", "There is something to learn from.", _not_empty),
    Check(
        "prefix_unbroken",
        "Every rating stands after own steps that are all rated and not negative: what it was rated against.",
        _prefix_unbroken,
    ),
)
