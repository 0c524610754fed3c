"""Measures of policies and PRMs as sums over problems, so that problems and seeds can be drawn anew.

A measure is parts [problems, values], what each problem adds, and how their sums make the figure (`COMBINE`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.ablations.intervals import Floats
from o1_assets.evaluation.fooled import fooled_under_best_of_n
from o1_assets.evaluation.pool import Pool
from o1_assets.evaluation.step_f1 import NO_ERROR, choose_threshold, predict_first_error
from o1_assets.labels.arithmetic_judge import first_error
from o1_assets.labels.oracle import Oracle
from o1_assets.seeds import derive_seed


def share(sums: Floats) -> float:
    """(hits, of how many) -> their ratio."""
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def f1(sums: Floats) -> float:
    """(first errors named, wrong solutions, right ones left alone, right solutions) -> ProcessBench's F1
    (arXiv:2412.06559), the harmonic mean of the two shares."""
    wrong, right = share(sums[:2]), share(sums[2:])
    return 2 * wrong * right / (wrong + right) if wrong + right else wrong + right


def mean_parts(values: Floats) -> Floats:
    """[problems] -> parts of their mean."""
    return np.stack([values, np.ones_like(values)], axis=1)


def fooled_on_pool_parts(
    scores: Floats, correct: NDArray[np.bool_], problem: NDArray[np.int64], problems: int
) -> Floats:
    """Wrong-answer solutions above the median right-answer one (`evaluation.fooled`), and all wrong ones, a problem.

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
