"""Every arm's last policy and every PRM of every arm, on the same held-out problems and the same fixed pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.best_of_n import Pool, curves
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.scored import prompts_of, sample
from o1_assets.evaluation.statistics import Floats, mean_parts
from o1_assets.experiments.measure import first_errors, fooled_fresh_parts, fooled_on_pool_parts, step_parts
from o1_assets.experiments.variants import kept
from o1_assets.reward.aggregate import right_probabilities, solution_score
from o1_assets.reward.score import load_scorers

SCORE = "prm_product"


STEP_F1, FOOLED_POOL = "step F1", "fooled, fixed pool"


@dataclass(frozen=True)
class Fresh:
    """One policy's samples (with SCORE by its own PRM), and the parts of what they tell."""

    solutions: pl.DataFrame
    parts: dict[str, Floats]


def judge_policy(
    task: Task,
    name: str,
    policy: Path,
    prm: Path,
    problems: pl.DataFrame,
    prompts: dict[str, list[int]],
    config: EvalConfig,
    seed: int,
) -> tuple[Fresh, Cost]:
    """Sampled pass@1, best-of-N by the arm's own PRM, and how often that is fooled then. Equal seeds sample alike.

    name: under which the samples are kept while the computation goes on.
    """

    def solve() -> tuple[pl.DataFrame, Cost]:
        engine = task.open_engine(policy)
        found, cost = sample(engine, problems, config, derive_seed(task.seed, "samples", seed))
        engine.close()
        (scored,), spent = score_with([prm], found, prompts, task)
        return scored, cost + spent

    solutions, cost = kept(task, name, solve)
    pool = Pool.from_frame(solutions, (SCORE,))
    n = config.samples
    chosen = curves(pool, (SCORE,), (n,), config.subsets, derive_seed(task.seed, "subsets", seed))
    fooled = fooled_fresh_parts(pool, SCORE, n, config.subsets, derive_seed(task.seed, "fooled", seed))
    parts = {
        "pass@1": mean_parts(pool.correct.mean(1)),
        f"best of {n}, own samples": mean_parts(chosen[SCORE].per_problem[0]),
        "fooled, fresh samples": fooled,
    }
    return Fresh(solutions, parts), cost


def prompts_by(
    task: Task, checkpoint: Path, problems: pl.DataFrame, config: EvalConfig
) -> dict[str, list[int]]:
    """problem_id -> token ids of its prompt."""
    engine = task.open_engine(checkpoint)
    prompts = prompts_of(engine, problems, config.prompt)
    engine.close()
    return prompts


def score_with(
    prms: Sequence[Path], solutions: pl.DataFrame, prompts: dict[str, list[int]], task: Task
) -> tuple[list[pl.DataFrame], Cost]:
    """For each PRM the solutions with SCORE and p_right, list[f64]."""
    scorer = load_scorers(prms, task.inputs["generator"])
    asked = [prompts[problem] for problem in solutions["problem_id"]]
    found, cost = scorer.score_all(asked, solutions["token_ids"].to_list(), task.progress)
    return [
        solutions.with_columns(
            pl.Series(SCORE, [solution_score(steps) for steps in of_one], dtype=pl.Float64),
            pl.Series(
                "p_right", [right_probabilities(s).tolist() for s in of_one], dtype=pl.List(pl.Float64)
            ),
        )
        for of_one in found
    ], cost


def mixed_pool(fresh: dict[str, pl.DataFrame], wanted: int, seed: int) -> pl.DataFrame:
    """Of each policy's solutions as many right as wrong ones, `wanted` in all where there are so many; no solution
    twice. So the pool holds what fools the PRM of one arm and not that of another."""
    parts = []
    for name, solutions in fresh.items():
        own = solutions.unique(["problem_id", "text"], keep="first", maintain_order=True)
        for correct in (True, False):
            found = own.filter(pl.col("correct") == correct).sort("solution_id")
            take = min(wanted // 2, found.height)
            parts.append(found.sample(take, seed=derive_seed(seed, name, correct), shuffle=True))
    columns = ["solution_id", "problem_id", "text", "steps", "token_ids", "correct"]
    together = pl.concat([part.select(columns) for part in parts])
    return together.unique(["problem_id", "text"], keep="first", maintain_order=True).sort(
        "problem_id", "text"
    )


def judge_prms(
    task: Task,
    prms: dict[str, Path],
    pool: pl.DataFrame,
    problems: pl.DataFrame,
    prompts: dict[str, list[int]],
) -> tuple[dict[str, dict[str, Floats]], Cost]:
    """Name of a PRM -> parts of STEP_F1 and FOOLED_POOL on the fixed pool, over the problems in their order."""
    order = {problem: i for i, problem in enumerate(problems["problem_id"])}
    problem = np.array([order[one] for one in pool["problem_id"]], dtype=np.int64)
    truth, correct = first_errors(pool, problems), pool["correct"].to_numpy()
    scored, cost = score_with(list(prms.values()), pool, prompts, task)
    found = {}
    for name, table in zip(prms, scored, strict=True):
        scores = table[SCORE].to_numpy()
        parts = {FOOLED_POOL: fooled_on_pool_parts(scores, correct, problem, problems.height)}
        if truth is not None:
            p_right = [np.array(p) for p in table["p_right"].to_list()]
            parts[STEP_F1] = step_parts(p_right, truth, problem, problems.height)
        found[name] = parts
    return found, cost


def best_of(
    task: Task,
    prms: dict[str, Path],
    samples: pl.DataFrame,
    prompts: dict[str, list[int]],
    n: int,
    subsets: int,
    seed: int,
) -> tuple[dict[str, Floats], Cost]:
    """Name of a PRM -> best-of-n of each problem on a pool of samples, the same subsets for all."""
    different = list(dict.fromkeys(prms.values()))
    scored, cost = score_with(different, samples, prompts, task)
    found = {}
    for path, table in zip(different, scored, strict=True):
        pool = Pool.from_frame(table, (SCORE,))
        found[path] = curves(pool, (SCORE,), (n,), subsets, seed)[SCORE].per_problem[0]
    return {name: found[path] for name, path in prms.items()}, cost


def first_samples(folder: Path, samples: int, among: Sequence[str] | None = None) -> pl.DataFrame:
    """The first `samples` of each problem in a folder with solutions.parquet, of the problems in `among`."""
    table = pl.read_parquet(folder / "solutions.parquet")
    if "seed" in table.columns:
        table = table.filter(pl.col("seed") == 0)
    if among is not None:
        table = table.filter(pl.col("problem_id").is_in(list(among)))
    return table.filter(pl.col("sample") < samples).sort("problem_id", "sample")
