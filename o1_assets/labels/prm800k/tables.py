"""The tables of one round of PRM800K: those of a selection, and those of a batch. Pure functions of frames.

SHOWN has a row for each completion that a labeller saw or wrote, SOLUTION one for each record, `chosen` one for
each solution that may be labelled.
"""

from __future__ import annotations

import polars as pl

from o1_assets.labels.inbox.reader import IMPORTED
from o1_assets.labels.inbox.tables import EVENT, RECORD
from o1_assets.labels.selection import content_of

SHOWN = {
    **{name: EVENT[name] for name in ("solution_id", "step", "labeler", "moment", "line", "rating", "flagged")},
    "text": pl.String, "own": pl.Boolean, "written": pl.Boolean,
    "quality_control": pl.Boolean, "screening": pl.Boolean,
}  # fmt: skip


SOLUTION = {
    "solution_id": pl.String, "problem_id": pl.String, "steps": pl.List(pl.String), "answer": pl.String,
    "correct": pl.Boolean, "score": pl.Float64, "question": pl.String, "truth": pl.String, "usable": pl.Boolean,
}  # fmt: skip


def solutions_of(chosen: pl.DataFrame) -> pl.DataFrame:
    """solutions.parquet of the selection."""
    return chosen.select(
        "solution_id",
        "problem_id",
        sample=pl.lit(0, pl.Int32),
        text=pl.col("steps").list.join("\n") + "\n",
        steps="steps",
        answer="answer",
        correct="correct",
        finished=pl.lit(True),
        score="score",
        reason=pl.lit(IMPORTED),
    )


def problems_of(chosen: pl.DataFrame) -> pl.DataFrame:
    """problems.parquet of the selection."""
    return (
        chosen.sort("question")
        .unique("problem_id", keep="first")
        .sort("problem_id")
        .select(
            "problem_id",
            "question",
            answer=pl.col("truth").fill_null(""),
            source=pl.lit(IMPORTED),
            grader=pl.lit("math"),
            difficulty=pl.lit(0),
            metadata=pl.lit("{}"),
        )
    )


def batch_ratings(shown: pl.DataFrame, completions: pl.DataFrame, digest: str) -> pl.DataFrame:
    """ratings.parquet of the batch `digest`. completions: see `completions_of`."""
    return (
        shown.drop("own", "written")
        .join(completions, on=["solution_id", "step", "text"], how="inner")
        .with_columns(batch=pl.lit(digest))
        .select(pl.col(name).cast(kind) for name, kind in EVENT.items())
        .sort("line", "step", "completion", "rating", "flagged")
    )


def batch_records(records: pl.DataFrame, completions: pl.DataFrame, digest: str) -> pl.DataFrame:
    """records.parquet of the batch `digest`. records: columns of RECORD, whose content is not known yet."""
    texts = (
        completions.group_by("solution_id", "step", maintain_order=True)
        .agg("text")
        .group_by("solution_id", maintain_order=True)
        .agg("text")
    )
    contents = texts.select(
        "solution_id",
        content=pl.Series([content_of(steps) for steps in texts["text"].to_list()], dtype=pl.String),
    )
    return (
        records.drop("content")
        .join(contents, on="solution_id", how="left")
        .with_columns(batch=pl.lit(digest))
        .select(pl.col(name).cast(kind) for name, kind in RECORD.items())
        .sort("line")
    )


def completions_of(shown: pl.DataFrame, solutions: pl.DataFrame) -> pl.DataFrame:
    """completions.parquet: a solution's own steps as completion 0, every other text seen there after it, by text."""
    own = (
        solutions.select("solution_id", "problem_id", text="steps")
        .with_columns(step=pl.int_ranges(0, pl.col("text").list.len(), dtype=pl.Int32))
        .explode("text", "step")
        .drop_nulls("text")
    )
    by_hand = shown.filter("written").select("solution_id", "step", "text", "written").unique()
    own = own.join(by_hand, on=["solution_id", "step", "text"], how="left").with_columns(
        pl.col("written").fill_null(False), completion=pl.lit(0, pl.Int32)
    )
    key = ["solution_id", "step", "text"]
    others = (
        shown.select(key)
        .unique()
        .join(own, on=key, how="anti")
        .sort(key)
        .with_columns(
            completion=(pl.int_range(pl.len()).over("solution_id", "step") + 1).cast(pl.Int32),
            written=pl.lit(False),
        )
        .join(solutions.select("solution_id", "problem_id"), on="solution_id")
    )
    columns = ["solution_id", "problem_id", "step", "completion", "text", "written"]
    return pl.concat([own.select(columns), others.select(columns)]).sort("solution_id", "step", "completion")
