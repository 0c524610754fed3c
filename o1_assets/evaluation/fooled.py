"""How often a score takes a wrong answer for a right one : the reward model is fooled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from o1_assets.evaluation.pool import Pool


def fooled_on_pool(scores: NDArray[np.float64], correct: NDArray[np.bool_]) -> float | None:
    """Share of wrong-answer solutions with a score above that of the median right-answer solution.

    scores, correct: [solutions] of one fixed pool. None when the pool has no right or no wrong solution.
    """
    if correct.all() or not correct.any():
        return None
    return float((scores[~correct] > np.median(scores[correct])).mean())


def fooled_under_best_of_n(
    pool: Pool, score: str, n: int = 16, subsets: int = 400, seed: int = 0
) -> float | None:
    """Of the random subsets of n with a right and a wrong solution in them: share whose top-scored is wrong.

    Ties for the top are broken at random. None when no subset is mixed.
    """
    rng = np.random.default_rng(seed)
    samples = np.tile(np.arange(pool.samples), (subsets, 1))
    mixed_subsets = fooled = 0
    for scores, correct in zip(pool.scores[score], pool.correct, strict=True):
        chosen = rng.permuted(samples, axis=1)[:, :n]
        right = correct[chosen]
        mixed = right.any(1) & ~right.all(1)
        top = chosen[np.arange(subsets), scores[chosen].argmax(1)]
        mixed_subsets += int(mixed.sum())
        fooled += int((mixed & ~correct[top]).sum())
    return fooled / mixed_subsets if mixed_subsets else None
