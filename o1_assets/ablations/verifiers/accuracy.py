"""Best of N of every selector, on every pool, for every training seed: the table that all claims are read from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from o1_assets.ablations.intervals import Floats
from o1_assets.ablations.verifiers import arms
from o1_assets.ablations.verifiers.config import VerifiersResultConfig
from o1_assets.ablations.verifiers.score import OTHER_WAYS, POOLS, part_of, way
from o1_assets.artifact import Task
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, WEIGHTED, curves, powers_of_two
from o1_assets.evaluation.pool import Pool
from o1_assets.evaluation.scored import held_out
from o1_assets.seeds import derive_seed

LEAST_LIKELY = "min_logprob"
SCHEMA: dict[str, Any] = {
    "pool": pl.String, "problems": pl.String, "selector": pl.String, "seed": pl.Int32, "n": pl.Int32,
    "accuracy": pl.Float64, "per_problem": pl.List(pl.Float64),
}  # fmt: skip
"""problems: "all" of the pool with all samples, or the "part" that every model scored. per_problem: mean over random
subsets, in the order of problem ids."""
ALL, PART = "all", "part"


def main_selectors(size: int) -> list[str]:
    """What is drawn against N, from scores of whole pools."""
    prm = arms.prm(size)
    ways = [way(prm, *other) for other in OTHER_WAYS]
    return [prm, arms.EVERY, LEAST_LIKELY, MAJORITY, WEIGHTED + prm, WEIGHTED + arms.EVERY, PASS, *ways]


def accuracies(task: Task, config: VerifiersResultConfig) -> pl.DataFrame:
    """Inputs: test, ood (pools), scores_<seed>. A row a pool, selector, seed and N."""
    rows: list[tuple[Any, ...]] = []
    for name in POOLS:
        solutions = pl.read_parquet(task.inputs[name] / "solutions.parquet")
        problems = pl.read_parquet(task.inputs[name] / "problems.parquet")
        first = held_out(problems, config.problems)["problem_id"].to_list()
        for seed in range(config.seeds):
            folder = task.inputs[f"scores_{seed}"]
            whole = solutions.join(
                pl.read_parquet(folder / f"{name}.parquet"),
                on=["problem_id", "sample"],
                how="inner",
                maintain_order="left",
            )
            part = part_of(whole, first, config.n).join(
                pl.read_parquet(folder / f"{name}_part.parquet"),
                on=["problem_id", "sample"],
                how="inner",
                maintain_order="left",
            )
            subsets = derive_seed(task.seed, name, seed)
            main = main_selectors(config.sizes[-1])
            every = [arm for arm in part.columns if arm.startswith(("prm_", "orm_")) and ":" not in arm]
            for which, table, selectors in ((ALL, whole, main), (PART, part, [*every, MAJORITY])):
                rows += _rows(name, which, table, selectors, seed, config.subsets, subsets)
            task.progress(f"{name}: chose among the solutions with the models of training {seed + 1}")
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(
    name: str, which: str, table: pl.DataFrame, selectors: Sequence[str], seed: int, subsets: int, draw: int
) -> list[tuple[Any, ...]]:
    scores = [s.removeprefix(WEIGHTED) for s in selectors if s not in (MAJORITY, PASS)]
    pool = Pool.from_frame(table, sorted(set(scores)))
    found = curves(pool, selectors, powers_of_two(pool.samples), subsets, draw)
    return [
        (name, which, selector, seed, n, curve.mean[k], curve.per_problem[k].tolist())
        for selector, curve in found.items()
        for k, n in enumerate(curve.ns)
    ]


def values(table: pl.DataFrame, pool: str, problems: str, selector: str, n: int) -> Floats:
    """[seeds, problems]. Raises KeyError where nothing like it was measured."""
    own = table.filter(
        (pl.col("pool") == pool)
        & (pl.col("problems") == problems)
        & (pl.col("selector") == selector)
        & (pl.col("n") == n)
    ).sort("seed")
    if own.is_empty():
        raise KeyError(f"{selector} at {n} was not measured on {problems} of {pool}")
    return np.array(own["per_problem"].to_list(), dtype=np.float64)
