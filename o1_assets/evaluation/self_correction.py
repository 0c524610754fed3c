"""How often solutions doubt a step of their own, how often rightly, and what comes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

CHECK = "check"
"""A step that begins with it looks again at what was done; a doubt after it is about the step before."""


OUTCOMES = {
    "wrong_to_right": (False, True),
    "wrong_to_wrong": (False, False),
    "right_to_wrong": (True, False),
    "right_to_right": (True, True),
}
"""Name -> whether what was doubted was right, whether what replaces it is."""


def self_correction(steps: pl.DataFrame, word: str) -> dict[str, Any]:
    """steps: rows of a steps.parquet, rated. A doubt is a step that begins with `word` and replaces the operation
    before it.

    solutions, doubts: counts. doubting: share of the solutions that doubt. Of the doubts: rightly (about a step that
    was wrong; after an error that stands every step is), and the share of each of OUTCOMES. noticed: share of the
    first wrong operations that are doubted at once. Each share has its standard error over problems (NAME_error),
    and is None where there is nothing to divide by.
    """
    per = ["problem_id", "sample"]
    table = (
        steps.drop_nulls("rating")
        .sort(*per, "step")
        .with_columns(
            wait=pl.col("text").str.starts_with(word + " "), check=pl.col("text").str.starts_with(CHECK + " ")
        )
    )
    solutions = table.group_by(per, maintain_order=True).agg(doubts=pl.col("wait").any())
    acts = table.filter(~pl.col("check")).with_columns(
        before=pl.col("rating").shift(1).over(per) >= 0,
        doubted=pl.col("wait").shift(-1).over(per).fill_null(False),
        last=pl.col("step") == pl.col("step").max().over(per),
        right=pl.col("rating") >= 0,
    )
    doubts = acts.filter(pl.col("wait")).drop_nulls("before")
    wrong = acts.filter(
        ~pl.col("right") & ~pl.col("last") & ~pl.col("wait") & pl.col("before").fill_null(True)
    )
    shares = {
        "doubting": (solutions["problem_id"], solutions["doubts"]),
        "rightly": (doubts["problem_id"], ~doubts["before"]),
        **{
            name: (doubts["problem_id"], (doubts["before"] == before) & (doubts["right"] == after))
            for name, (before, after) in OUTCOMES.items()
        },
        "noticed": (wrong["problem_id"], wrong["doubted"]),
    }
    found: dict[str, Any] = {"solutions": solutions.height, "doubts": doubts.height}
    for name, (problems, values) in shares.items():
        found[name], found[f"{name}_error"] = _share(problems, values)
    return found


def _share(problems: pl.Series, values: pl.Series) -> tuple[float | None, float | None]:
    """The share of true values, and its standard error where those of one problem belong together (the ratio
    estimator's, Cochran 1977, section 6.3)."""
    if values.is_empty():
        return None, None
    sums = (
        pl.DataFrame({"problem": problems, "value": values.cast(pl.Float64)})
        .group_by("problem", maintain_order=True)
        .agg(yes=pl.col("value").sum(), of=pl.len())
    )
    yes, of = _floats(sums["yes"]), _floats(sums["of"])
    share = float(yes.sum() / of.sum())
    clusters = len(yes)
    if clusters < 2:
        return share, None
    left = ((yes - share * of) ** 2).sum()
    return share, float(np.sqrt(clusters / (clusters - 1) * left) / of.sum())


def _floats(values: pl.Series) -> NDArray[np.float64]:
    return values.cast(pl.Float64).to_numpy()
