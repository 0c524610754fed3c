"""GPT* and every version of baby-o1 on the same held-out problems: what each solves, and how it corrects itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import PASS
from o1_assets.evaluation.evaluate_policy import PRM

ALL, LEVELS = "all", ("easy", "medium", "hard")
EVERY = (ALL, *LEVELS)

# The round of GPT*, which no round trained.
GENERATOR = -1

# A step that begins with it looks again at what was done; a doubt after it is about the step before.
CHECK = "check"

# Name -> whether what was doubted was right, whether what replaces it is.
OUTCOMES = {
    "wrong_to_right": (False, True),
    "wrong_to_wrong": (False, False),
    "right_to_wrong": (True, False),
    "right_to_right": (True, True),
}


def terciles(right: NDArray[np.float64]) -> NDArray[np.str_]:
    """easy, medium or hard for each problem, thirds of them by how often GPT* solves them.

    right: each problem's share of right solutions, [problems] (Snell et al., arXiv:2408.03314, section 3.2).
    """
    # Stable: of equally hard problems the first is the easier one, on every machine.
    order = np.argsort(-right, kind="stable")
    names = np.empty(len(right), dtype="<U6")
    for name, part in zip(LEVELS, np.array_split(order, len(LEVELS)), strict=True):
        names[part] = name
    return names


def solved(evals: Mapping[int, Path], generator_eval: Path) -> pl.DataFrame:
    """evals: round -> folder of rNN/eval. Columns round, problem_id, difficulty (by how often GPT* solves it), right
    (share of the samples)."""
    tables = {
        k: read_parquet(folder / "solutions.parquet", columns=["problem_id", "correct"])
        .group_by("problem_id")
        .agg(right=pl.col("correct").mean())
        .sort("problem_id")
        for k, folder in {GENERATOR: generator_eval, **evals}.items()
    }
    # GPT* is evaluated on more problems than the rounds are: only those of the rounds are comparable.
    problems = next(table["problem_id"] for k, table in tables.items() if k != GENERATOR)
    generator = tables[GENERATOR].filter(pl.col("problem_id").is_in(problems.implode()))
    levels = generator.select(
        "problem_id", difficulty=pl.Series(terciles(generator["right"].to_numpy()), dtype=pl.String)
    )
    return pl.concat(
        table.join(levels, on="problem_id", how="inner", maintain_order="left").select(
            "problem_id", "difficulty", "right", round=pl.lit(k, pl.Int32)
        )
        for k, table in tables.items()
    ).select("round", "problem_id", "difficulty", "right")


def pass_at_k(evals: Mapping[int, Path], generator_eval: Path, ks: Sequence[int]) -> pl.DataFrame:
    """Rows round, k, mean, error (standard error over problems): pass@k of every version on the problems of the rounds,
    for each k that all have enough samples for."""
    tables = {k: _exact(folder, PASS) for k, folder in {GENERATOR: generator_eval, **evals}.items()}
    problems = next(iter(evals))
    common = set.intersection(*(set(table["n"]) for table in tables.values())) & set(ks)
    return pl.concat(
        _means(
            table.filter(pl.col("n").is_in(common)).join(
                tables[problems].select("problem_id").unique(), on="problem_id", how="semi"
            )
        ).select(pl.lit(version, pl.Int32).alias("round"), k="n", mean="mean", error="error")
        for version, table in tables.items()
    )


def best_of_n(evals: Mapping[str, Path]) -> pl.DataFrame:
    """evals: model -> folder of its evaluation. Rows model, selector (PRM or PASS), n, mean, error (over problems)."""
    return pl.concat(
        _means(_exact(folder, selector)).select(
            pl.lit(model).alias("model"), pl.lit(selector).alias("selector"), "n", "mean", "error"
        )
        for model, folder in evals.items()
        for selector in (PRM, PASS)
    )


def _exact(folder: Path, selector: str) -> pl.DataFrame:
    return read_parquet(folder / "exact.parquet").filter(pl.col("selector") == selector)


def _means(table: pl.DataFrame) -> pl.DataFrame:
    return (
        table.group_by("n")
        .agg(mean=pl.col("value").mean(), error=pl.col("value").std() / pl.len().sqrt())
        .sort("n")
    )


def corrections(evals: Mapping[int, Path], generator_eval: Path, word: str) -> pl.DataFrame:
    """One row a version: round, and `self_correction` of its rated solutions, on the problems of the rounds."""
    tables = {k: read_parquet(folder / "steps.parquet") for k, folder in evals.items()}
    problems = next(iter(tables.values()))["problem_id"].unique()
    generator = read_parquet(generator_eval / "steps.parquet")
    tables = {GENERATOR: generator.filter(pl.col("problem_id").is_in(problems.implode())), **tables}
    rows = [{"round": k, **self_correction(steps, word)} for k, steps in tables.items()]
    return pl.DataFrame(rows, infer_schema_length=None)


def self_correction(steps: pl.DataFrame, word: str) -> dict[str, Any]:
    """How often solutions doubt one of their steps, how often they are right to do so, and what replaces that step.

    steps: rows of a steps.parquet, rated. A doubt is a step that begins with `word` and replaces the operation
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
    # Without the checks each row's neighbours are the operation before it and the one after it.
    operations = table.filter(~pl.col("check")).with_columns(
        before=pl.col("rating").shift(1).over(per) >= 0,
        doubted=pl.col("wait").shift(-1).over(per).fill_null(False),
        last=pl.col("step") == pl.col("step").max().over(per),
        right=pl.col("rating") >= 0,
    )
    doubts = operations.filter(pl.col("wait")).drop_nulls("before")
    # Right before and wrong now: the first wrong operation. The last step is the answer, which no doubt can follow.
    wrong = operations.filter(
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
    row: dict[str, Any] = {"solutions": solutions.height, "doubts": doubts.height}
    for name, (problems, values) in shares.items():
        row[name], row[f"{name}_error"] = _share(problems, values)
    return row


def _share(problems: pl.Series, values: pl.Series) -> tuple[float | None, float | None]:
    """The share of true values and its standard error, problems being clusters of values (the ratio estimator's,
    Cochran 1977, "Sampling Techniques", section 6.3)."""
    if values.is_empty():
        return None, None
    sums = (
        pl.DataFrame({"problem": problems, "value": values.cast(pl.Float64)})
        .group_by("problem", maintain_order=True)
        .agg(yes=pl.col("value").sum(), of=pl.len().cast(pl.Float64))
    )
    yes, of = sums["yes"].to_numpy(), sums["of"].to_numpy()
    share = float(yes.sum() / of.sum())
    clusters = len(yes)
    # The spread between problems is unknown with one of them.
    if clusters < 2:
        return share, None
    # Samples of one problem are alike: counted as independent, the error would be too small.
    squares = ((yes - share * of) ** 2).sum()
    return share, float(np.sqrt(clusters / (clusters - 1) * squares) / of.sum())
