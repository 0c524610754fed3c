"""How well a PRM finds the earliest wrong step: ProcessBench F1 (Zheng et al. 2024, arXiv:2412.06559)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_ERROR = -1
"""In place of a step's index: the solution has no wrong step."""


@dataclass(frozen=True)
class StepF1:
    """accuracy_wrong: share of wrong solutions whose earliest wrong step was named exactly; accuracy_right:
    share of right solutions in which no error was reported; f1: their harmonic mean."""

    f1: float
    accuracy_wrong: float
    accuracy_right: float
    wrong: int
    right: int


def predict_first_error(p_right: NDArray[np.float64] | Sequence[float], threshold: float) -> int:
    """The first step whose P(right) lies below the threshold, or NO_ERROR. p_right: [steps]."""
    below = np.flatnonzero(np.asarray(p_right) < threshold)
    return int(below[0]) if len(below) else NO_ERROR


def step_f1(predicted: Sequence[int], truth: Sequence[int]) -> StepF1:
    """Both hold a step index or NO_ERROR for each solution. A class without solutions has accuracy 0."""
    said, is_ = np.asarray(predicted, dtype=int), np.asarray(truth, dtype=int)
    if said.shape != is_.shape:
        raise ValueError(f"{len(said)} predictions for {len(is_)} solutions")
    hit, right = said == is_, is_ == NO_ERROR
    on_wrong = float(hit[~right].mean()) if (~right).any() else 0.0
    on_right = float(hit[right].mean()) if right.any() else 0.0
    both = on_wrong + on_right
    f1 = 2 * on_wrong * on_right / both if both else 0.0
    return StepF1(f1, on_wrong, on_right, int((~right).sum()), int(right.sum()))


def choose_threshold(p_right: Sequence[NDArray[np.float64]], truth: Sequence[int], grid: int = 99) -> float:
    """The threshold with the best F1 on these solutions, never to be judged on them again.

    The middle of the best thresholds, because the edge of a plateau is where other data falls off it.
    """
    thresholds = np.linspace(0.0, 1.0, grid + 2)[1:-1]
    scores = [step_f1([predict_first_error(p, t) for p in p_right], truth).f1 for t in thresholds]
    best = np.flatnonzero(np.isclose(scores, max(scores)))
    return float(thresholds[best[len(best) // 2]])


def cross_fitted_f1(
    p_right: Sequence[NDArray[np.float64]], truth: Sequence[int], groups: Sequence[str]
) -> tuple[StepF1, tuple[float, float]]:
    """F1 of all solutions, each judged with the threshold chosen on the other half of the problems.

    groups: the problem of each solution; a problem lies wholly in one half. Returns the thresholds used too.
    """
    half_of = {group: k % 2 for k, group in enumerate(sorted(set(groups)))}
    half = np.array([half_of[group] for group in groups])
    predicted = np.full(len(truth), NO_ERROR)
    thresholds = []
    for side in (0, 1):
        other = np.flatnonzero(half != side)
        threshold = choose_threshold([p_right[i] for i in other], [truth[i] for i in other])
        thresholds.append(threshold)
        for i in np.flatnonzero(half == side):
            predicted[i] = predict_first_error(p_right[i], threshold)
    return step_f1(predicted.tolist(), truth), (thresholds[0], thresholds[1])
