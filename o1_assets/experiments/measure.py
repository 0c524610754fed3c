"""How an experiment whose arms are policies is judged: every trained policy on the same held-out problems.

Other experiments measure their policies with `judge_policy` too, and show them with `arms.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost, Outcome, StageConfig, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.best_of_n import Pool, fooled_under_best_of_n
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.evaluate_policy import PRM, Draw, EvalModels, evaluate_policy
from o1_assets.evaluation.scored import held_out
from o1_assets.evaluation.statistics import Floats
from o1_assets.evaluation.steps import NO_ERROR, choose_threshold, predict_first_error
from o1_assets.experiments.arms import DECIDES, ArmWords, arm_differences, arms_result, simplest
from o1_assets.experiments.result import write_result
from o1_assets.experiments.variants import kept, read_cost
from o1_assets.labels.annotators.arithmetic_checker import first_error
from o1_assets.labels.annotators.oracle import Oracle

if TYPE_CHECKING:
    pass


class ResultConfig(StageConfig):
    """arms: from the simplest on; the first is the control. today: the one that is the profile's way."""

    name: str
    title: str
    question: str
    arms: tuple[ArmWords, ...]
    today: str
    seeds: int
    judge: EvalConfig


def make_result(task: Task, config: ResultConfig) -> Outcome:
    """Inputs: <arm>_<seed> (trained policies with their cost), generator, prm, orm, test (problems).

    Writes runs.parquet (arm, seed, measure, value, per_problem, costs) beside what `result.write_result` does.
    """
    names = [arm.name for arm in config.arms]
    runs, cost = judge_arms(task, names, config.seeds, config.judge)
    seed = derive_seed(task.seed, "bootstrap")
    runs.write_parquet(task.out / "runs.parquet")
    result = arms_result(config.name, config.title, config.question, config.arms, runs, config.judge, seed)
    verdict = simplest(runs, names, config.judge.resamples, seed)
    note = f"The simplest arm that no other beats in {DECIDES} by more than noise: {verdict}."
    if verdict != config.today:
        note += f" The profile has {config.today}."
    write_result(task.out, result.with_notes(note))
    means = arm_differences(runs, names, config.judge.resamples, seed).filter(pl.col("measure") == DECIDES)
    figures = {f"{DECIDES} {row['arm']}": row["mean"] for row in means.iter_rows(named=True)}
    sample_rows = means.to_dicts()
    return Outcome(
        {"simplest_unbeaten": verdict, "today": config.today, **figures}, cost, runs.height, sample_rows
    )


def judge_arms(task: Task, arms: list[str], seeds: int, config: EvalConfig) -> tuple[pl.DataFrame, Cost]:
    """Every input <arm>_<seed>, a policy's folder with its cost.json, measured: what `arms.py` reads.

    Columns: arm, seed, measure, value, what it cost (spent.py), per_problem.
    """
    models = EvalModels.of(task.inputs)
    problems = held_out(pl.read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    tables, cost = [], Cost()
    for arm in arms:
        for seed in range(seeds):
            task.progress(f"{arm}, training {seed + 1} of {seeds}")
            name = f"{arm}_{seed}"
            measured, spent = kept(task, name, partial(_measured, task, name, seed, models, problems, config))
            told = pl.DataFrame([{"arm": arm, "seed": seed, **read_cost(task.inputs[name])}])
            tables.append(told.join(measured, how="cross"))
            cost += spent
    return pl.concat(tables), cost


def _measured(
    task: Task, name: str, seed: int, models: EvalModels, problems: pl.DataFrame, config: EvalConfig
) -> tuple[pl.DataFrame, Cost]:
    measured, cost = measured_policy(task, name, seed, models, problems, config)
    return pl.DataFrame(
        {
            "measure": list(measured),
            "value": [float(values.mean()) for values in measured.values()],
            "per_problem": [values.tolist() for values in measured.values()],
        }
    ), cost


def measured_policy(
    task: Task, name: str, seed: int, models: EvalModels, problems: pl.DataFrame, config: EvalConfig
) -> tuple[dict[str, Floats], Cost]:
    """name: of the input that is the policy. Measure -> accuracy on each problem.

    seed: of the training; policies of one seed are sampled with the same seeds. Measures: pass@1 (sampled), greedy,
    best_of_N by the PRM's product, majority@N, N = config.samples.
    """
    evaluation = evaluate_policy(
        task.open_engine(task.inputs[name]),
        models,
        problems,
        config,
        [Draw.of(task.seed, seed)],
        greedy=derive_seed(task.seed, "greedy"),
    )
    n = config.samples
    names = {f"{PRM}@{n}": f"best_of_{n}"}
    return {names.get(m, m): values for m, values in evaluation.measures(seed).items()}, evaluation.cost


# Measures of policies and PRMs as sums over problems, so that problems and seeds can be drawn anew.
#
# A measure is parts [problems, values], what each problem adds, and how their sums make the figure (`COMBINE`).
#


def fooled_on_pool_parts(
    scores: Floats, correct: NDArray[np.bool_], problem: NDArray[np.int64], problems: int
) -> Floats:
    """Wrong-answer solutions above the median right-answer one (`fooled_on_pool`), and all wrong ones, a problem.

    problem: index of each solution's. The median is that of the whole pool, also where problems are drawn anew.
    """
    wrong = ~correct
    if not correct.any():
        return np.zeros((problems, 2))
    fooled = wrong & (scores > np.median(scores[correct]))
    return np.stack([_count(fooled, problem, problems), _count(wrong, problem, problems)], axis=1)


def fooled_fresh_parts(pool: Pool, score: str, n: int, subsets: int, seed: int) -> Floats:
    """Per problem: the share of subsets of n that are mixed and whose best is wrong, and of those that are mixed."""
    m = pool.samples
    rows = []
    for p in range(len(pool.problem_ids)):
        right = int(pool.correct[p].sum())
        mixed = 1 - (comb(right, n) + comb(m - right, n)) / comb(m, n)
        own = Pool(
            (pool.problem_ids[p],),
            pool.correct[p : p + 1],
            pool.answers[p : p + 1],
            {score: pool.scores[score][p : p + 1]},
        )
        rate = fooled_under_best_of_n(own, score, n, subsets, derive_seed(seed, p)) if mixed else None
        rows.append((mixed * (rate or 0.0), mixed if rate is not None else 0.0))
    return np.array(rows)


def step_parts(
    p_right: Sequence[Floats], truth: Sequence[int], problem: NDArray[np.int64], problems: int
) -> Floats:
    """Parts of `f1`. A solution is judged with the threshold chosen on the other half of the problems."""
    first, half = np.array(truth), problem % 2
    said = np.full(len(first), NO_ERROR)
    for side in (0, 1):
        other = np.flatnonzero(half != side)
        if not len(other):
            continue
        threshold = choose_threshold([p_right[i] for i in other], [truth[i] for i in other])
        for i in np.flatnonzero(half == side):
            said[i] = predict_first_error(p_right[i], threshold)
    right = first == NO_ERROR
    hit = said == first
    columns = (hit & ~right, ~right, hit & right, right)
    return np.stack([_count(column, problem, problems) for column in columns], axis=1)


def first_errors(solutions: pl.DataFrame, problems: pl.DataFrame) -> list[int] | None:
    """The first wrong step of each solution, or NO_ERROR; None where the exact checker does not cover the problems."""
    oracle, by_id = Oracle(), {row["problem_id"]: row for row in problems.iter_rows(named=True)}
    if not all(oracle.covers(problem) for problem in by_id.values()):
        return None
    found = (
        first_error(by_id[problem], steps)
        for problem, steps in solutions.select("problem_id", "steps").iter_rows()
    )
    return [NO_ERROR if index is None else index for index in found]


def _count(hits: NDArray[np.bool_], problem: NDArray[np.int64], problems: int) -> Floats:
    return np.bincount(problem, weights=hits.astype(np.float64), minlength=problems).astype(np.float64)
