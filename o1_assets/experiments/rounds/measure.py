"""Every arm's last policy and every PRM of every arm, on the same held-out problems and the same fixed pools.

A measure is kept as parts, what each problem adds to it, so that problems and seeds can be drawn anew together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import Pool, curves
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.evaluate_policy import PASS_AT_1, PRM
from o1_assets.evaluation.statistics import Floats, mean_parts
from o1_assets.evaluation.steps import NO_ERROR
from o1_assets.experiments.measure import (
    MEASURES,
    SOLUTIONS,
    first_errors,
    fooled_fresh_parts,
    fooled_on_pool_parts,
    per_problem,
    step_parts,
)
from o1_assets.reward.aggregate import right_probabilities, solution_score
from o1_assets.reward.score import load_scorers
from o1_assets.rounds.search import EVEN

STEP_F1, FOOLED_POOL, CONDEMNED_POOL = "step F1", "fooled, fixed pool", "condemned, fixed pool"


def of_searched_pool(measure: str) -> str:
    """The same measure on a pool of what all arms' searches found."""
    return measure.removesuffix(", fixed pool") + ", searched pool"


# Resamples of the problems for a variance.
RESAMPLED = 200

# problem_id -> token ids.
Prompts = Mapping[str, Sequence[int]]


def policy_parts(evaluation: Path, config: EvalConfig, fooled_seed: int) -> dict[str, Floats]:
    """Of an evaluated policy: sampled pass@1, best of N by the arm's own PRM, and how often that PRM is fooled then."""
    measures = per_problem(read_parquet(evaluation / MEASURES))
    pool = Pool.from_frame(read_parquet(evaluation / SOLUTIONS), (PRM,))
    n = config.samples
    return {
        PASS_AT_1: mean_parts(measures[PASS_AT_1]),
        f"best of {n}, own samples": mean_parts(measures[f"{PRM}@{n}"]),
        "fooled, fresh samples": fooled_fresh_parts(pool, PRM, n, config.subsets, fooled_seed),
    }


def score_with(
    prms: Sequence[Path], solutions: pl.DataFrame, prompts: Prompts, task: Task
) -> tuple[list[pl.DataFrame], Cost]:
    """For each PRM the solutions with its product score and p_right, list[f64]."""
    scorer = load_scorers(prms, task.inputs["generator"])
    asked = [prompts[problem] for problem in solutions["problem_id"]]
    read, cost = scorer.score_all(asked, solutions["token_ids"].to_list(), task.progress)
    return [
        solutions.with_columns(
            pl.Series(PRM, [solution_score(steps) for steps in probabilities], dtype=pl.Float64),
            pl.Series(
                "p_right", [right_probabilities(s).tolist() for s in probabilities], dtype=pl.List(pl.Float64)
            ),
        )
        for probabilities in read
    ], cost


def mixed_pool(fresh: Mapping[str, pl.DataFrame], wanted: int, seed: int) -> pl.DataFrame:
    """Of each policy's solutions as many right as wrong ones, `wanted` in all where there are so many; no solution
    twice. So the pool holds what fools the PRM of one arm and not that of another."""
    parts = []
    for name, solutions in fresh.items():
        # A good policy writes few wrong solutions, and often the same one: by its own frequencies the pool would hold
        # hardly any that a PRM could be fooled by.
        distinct = solutions.unique(["problem_id", "text"], keep="first", maintain_order=True)
        for correct in (True, False):
            candidates = distinct.filter(pl.col("correct") == correct).sort("solution_id")
            count = min(wanted // 2, candidates.height)
            parts.append(candidates.sample(count, seed=derive_seed(seed, name, correct), shuffle=True))
    columns = ["solution_id", "problem_id", "text", "steps", "token_ids", "correct"]
    pooled = pl.concat([part.select(columns) for part in parts])
    # Two arms may have written the same text; it counts once. Sorted, so that prefixes are shared when it is read.
    return pooled.unique(["problem_id", "text"], keep="first", maintain_order=True).sort("problem_id", "text")


def prm_parts(
    task: Task,
    prms: Mapping[str, Path],
    pool: pl.DataFrame,
    problems: pl.DataFrame,
    prompts: Prompts,
    condemned: bool = False,
) -> tuple[dict[str, dict[str, Floats]], Cost]:
    """Name of a PRM -> parts of STEP_F1 and FOOLED_POOL on the fixed pool, over the problems in their order.

    condemned: of CONDEMNED_POOL too, the share of the solutions without a wrong step that score below EVEN.
    """
    order = {problem: i for i, problem in enumerate(problems["problem_id"])}
    problem = np.array([order[name] for name in pool["problem_id"]], dtype=np.int64)
    truth, correct = first_errors(pool, problems), pool["correct"].to_numpy()
    sound = correct if truth is None else correct & (np.array(truth) == NO_ERROR)
    scored, cost = score_with(list(prms.values()), pool, prompts, task)
    parts: dict[str, dict[str, Floats]] = {}
    for name, table in zip(prms, scored, strict=True):
        scores = table[PRM].to_numpy()
        parts[name] = {FOOLED_POOL: fooled_on_pool_parts(scores, correct, problem, problems.height)}
        if condemned:
            doubted = np.bincount(problem, sound & (scores < EVEN), problems.height)
            of_all = np.bincount(problem, sound, problems.height)
            parts[name][CONDEMNED_POOL] = np.stack([doubted, of_all], axis=1)
        if truth is not None:
            p_right = [np.array(p) for p in table["p_right"].to_list()]
            parts[name][STEP_F1] = step_parts(p_right, truth, problem, problems.height)
    return parts, cost


def best_of(
    task: Task,
    prms: Mapping[str, Path],
    samples: pl.DataFrame,
    prompts: Prompts,
    n: int,
    subsets: int,
    seed: int,
) -> tuple[dict[str, Floats], Cost]:
    """Name of a PRM -> best-of-n of each problem on a pool of samples, the same subsets for all."""
    different = list(dict.fromkeys(prms.values()))  # arms without labels share the PRM of round 0
    scored, cost = score_with(different, samples, prompts, task)
    chosen = {
        path: curves(Pool.from_frame(table, (PRM,)), (PRM,), (n,), subsets, seed)[PRM].per_problem[0]
        for path, table in zip(different, scored, strict=True)
    }
    return {name: chosen[path] for name, path in prms.items()}, cost


def first_samples(folder: Path, samples: int, among: Sequence[str] | None = None) -> pl.DataFrame:
    """The first `samples` of each problem in a folder with solutions.parquet, of the problems in `among`."""
    table = read_parquet(folder / "solutions.parquet")
    # eval/generator has several sampling seeds, the pools of ablations/pools one.
    if "seed" in table.columns:
        table = table.filter(pl.col("seed") == 0)
    if among is not None:
        table = table.filter(pl.col("problem_id").is_in(list(among)))
    return table.filter(pl.col("sample") < samples).sort("problem_id", "sample")


@dataclass(frozen=True)
class Trainings:
    """What a contrast of a given size needs, of one measure.

    over_seeds: standard deviation over trainings of an arm's difference to the control; over_problems: standard error
    of that difference from the problems alone. needed: trainings of each arm; None where no number of them is enough,
    because the problems alone leave too much noise.
    """

    over_seeds: float
    over_problems: float
    needed: int | None


# Standard errors that a difference has to be away from 0, to be found at 5%, two-sided, in 80% of the experiments.
POWER = 1.96 + 0.84


def trainings_needed(
    arms: Sequence[Floats], control: Floats, combine: Callable[[Floats], float], points: float, seed: int
) -> Trainings | None:
    """How many trainings of each arm a true difference of `points` needs. None where the figure is undefined.

    arms, control: parts [seeds, problems, values]. The variances are means over the arms: with three seeds that of one
    arm has two degrees of freedom.
    """
    rng, seeds, problems = np.random.default_rng(seed), control.shape[0], control.shape[1]
    of_seeds, of_problems = [], []
    draws = rng.integers(problems, size=(RESAMPLED, problems))
    for arm in arms:
        paired = [combine(arm[s].sum(0)) - combine(control[s].sum(0)) for s in range(seeds)]
        of_seeds.append(np.var(paired, ddof=1))
        a, b = arm.sum(0), control.sum(0)  # [problems, values]
        of_problems.append(
            np.var([combine(a[drawn].sum(0)) - combine(b[drawn].sum(0)) for drawn in draws], ddof=1)
        )
    over_seeds, over_problems = float(np.mean(of_seeds)), float(np.mean(of_problems))
    if np.isnan(over_seeds + over_problems):
        return None
    left = (points / POWER) ** 2 - over_problems
    needed = max(2, int(np.ceil(over_seeds / left))) if left > 0 else None
    return Trainings(over_seeds**0.5, over_problems**0.5, needed)
