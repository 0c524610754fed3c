"""difficulty/train, eval/base: how many of a model's samples solve each problem; and the problems of a band of it.

A problem that is never solved gives RL no reward to compare, one that is always solved nothing to improve. What the
band keeps is sampled anew by every later stage, so the noise of this measurement flatters none of their figures.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.errors import O1Error
from o1_assets.core.flops import flops_generate
from o1_assets.core.plots import Axis, Series, save_png
from o1_assets.core.tables import read_parquet
from o1_assets.generator.config import Band, SamplesConfig
from o1_assets.problems.solutions import generated_tokens, sample_solutions

TABLE = "difficulty.parquet"
BINS = 10
"""Bins of a histogram of more samples than this."""
BATCH = 200
"""Problems from one line of progress to the next."""


class NothingInBand(O1Error, ValueError):
    """No problem is as hard as was asked for; the message says what to change."""


def make_difficulty(task: Task, config: SamplesConfig) -> Outcome:
    """Inputs: model, problems. Writes difficulty.parquet: problem_id, samples, right, pass_rate, finished."""
    problems = read_parquet(task.inputs["problems"] / "problems.parquet").sort("problem_id")
    problems = problems.head(config.problems)
    engine = task.open_engine(task.inputs["model"])
    limits = SamplingParams(config.prompt.max_tokens, config.temperature)
    tables, tokens = [], 0
    for start in range(0, problems.height, BATCH):
        batch = problems.slice(start, BATCH)
        # A problem's samples depend on its id and the seed, so that the size of a batch changes nothing.
        solutions = sample_solutions(
            engine, batch, config.per_problem, limits, task.seed, config.first_prompt
        )
        tokens += generated_tokens(solutions)
        tables.append(pass_rates(solutions))
        task.progress(f"{start + batch.height}/{problems.height} problems")
    parameters = engine.parameters
    engine.close()
    table = pl.concat(tables)
    table.write_parquet(task.out / TABLE)
    bars = histogram(table)
    save_png(
        task.out / "plots" / "difficulty.png",
        [Series("", [bar["middle"] for bar in bars], [bar["problems"] / table.height for bar in bars])],
        Axis(
            "How hard the problems are",
            "share of a problem's samples that are right",
            "share of the problems",
            from_zero=True,
        ),
    )
    return Outcome(
        figures={
            "problems": table.height,
            "pass_rate": _mean(table["pass_rate"]),
            "never_solved": _mean(table["right"] == 0),
            "always_solved": _mean(table["right"] == table["samples"]),
            "finished": _mean(table["finished"]),
        },
        cost=Cost(flops=flops_generate(parameters, tokens), tokens_generated=tokens),
        rows=table.height,
        sample=table.head(5).to_dicts(),
    )


def pass_rates(solutions: pl.DataFrame) -> pl.DataFrame:
    """A row for each problem of a table of solutions, in its order."""
    return solutions.group_by("problem_id", maintain_order=True).agg(
        pl.len().cast(pl.Int32).alias("samples"),
        pl.col("correct").sum().cast(pl.Int32).alias("right"),
        pl.col("correct").mean().alias("pass_rate"),
        pl.col("finished").mean().alias("finished"),
    )


def in_band(table: pl.DataFrame, band: Band) -> pl.DataFrame:
    return table.filter(pl.col("pass_rate").is_between(band.lowest, band.highest))


def make_banded(task: Task, config: Band) -> Outcome:
    """Inputs: pool, difficulty. Writes problems.parquet, the problems of the pool in the band. Raises NothingInBand."""
    pool = read_parquet(task.inputs["pool"] / "problems.parquet")
    measured = read_parquet(task.inputs["difficulty"] / TABLE)
    kept = in_band(measured, config)
    never = int((measured["right"] == 0).sum())
    if kept.is_empty():
        raise NothingInBand(
            f"of {measured.height} train problems the base solves none in {config.lowest:.0%} to {config.highest:.0%} "
            f"of its samples, and {never} in none of them: take easier problems, sample more (difficulty.samples), "
            "widen difficulty.band, or set difficulty.band=null, so that the base learns from the worked solutions of "
            "problems that it does not solve (sft_set.references)"
        )
    table = pool.join(kept, on="problem_id", how="semi", maintain_order="left")
    table.write_parquet(task.out / "problems.parquet")
    above = measured.height - kept.height - measured.filter(pl.col("pass_rate") < config.lowest).height
    return Outcome(
        figures={
            "problems": table.height,
            "too_hard": measured.height - kept.height - above,
            "too_easy": above,
            "never_solved": never,
            "pass_rate": _mean(kept["pass_rate"]),
        },
        rows=table.height,
        sample=table.head(5).drop("metadata").to_dicts(),
    )


def histogram(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Bars: `lowest` to `highest` share of samples that are right, the `middle`, and the number of problems.

    Of few samples each share that can occur has a bar of its own, of more there are ten.
    """
    samples = max(table["samples"].to_list(), default=1)
    if samples <= BINS:
        counts = dict(table["right"].value_counts().iter_rows())
        return [_bar(k / samples, k / samples, counts.get(k, 0)) for k in range(samples + 1)]
    bins = (table["pass_rate"] * BINS).cast(pl.Int32).clip(upper_bound=BINS - 1)
    counts = dict(bins.value_counts().iter_rows())
    return [_bar(k / BINS, (k + 1) / BINS, counts.get(k, 0)) for k in range(BINS)]


def _bar(lowest: float, highest: float, problems: int) -> dict[str, Any]:
    middle = round((lowest + highest) / 2, 4)
    return {"lowest": lowest, "highest": highest, "middle": middle, "problems": problems}


def _mean(values: pl.Series) -> float:
    return float(values.mean() or 0)  # type: ignore[arg-type]
