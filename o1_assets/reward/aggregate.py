"""From a PRM's ratings of steps to one score for the solution. The formulas stand here and nowhere else."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Order of a PRM's three classes; a rating r is class r + 1.
NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2
Aggregation = Literal["product", "minimum"]
Neutral = Literal["right", "wrong"]


def right_probabilities(steps: ArrayLike, neutral: Neutral = "right") -> NDArray[np.float64]:
    """P(step is right), shape (steps,), from class probabilities of shape (steps, 3).

    Neutral counts as right unless asked otherwise (Lightman et al. 2023, section 2.6 and appendix F).
    """
    classes = np.asarray(steps, dtype=np.float64).reshape(-1, 3)  # a single step may come as (3,)
    right = classes[:, POSITIVE] if neutral == "wrong" else classes[:, POSITIVE] + classes[:, NEUTRAL]
    return np.clip(right, 0.0, 1.0)


def log_score(steps: ArrayLike, aggregation: Aggregation = "product", neutral: Neutral = "right") -> float:
    """Logarithm of `solution_score`: ranks long solutions whose product is too small for a float."""
    right = right_probabilities(steps, neutral)
    if right.size == 0:
        return float("-inf")
    # A probability that was rounded to 0 would make all longer solutions equal at -inf.
    logs = np.log(np.maximum(right, np.finfo(np.float64).tiny))
    return float(logs.sum() if aggregation == "product" else logs.min())


def solution_score(
    steps: ArrayLike, aggregation: Aggregation = "product", neutral: Neutral = "right"
) -> float:
    """Score in [0, 1] of a solution whose steps were given class probabilities of shape (steps, 3).

    "product" is the probability that every step is right (Lightman et al. 2023, section 2.6); "minimum" is
    that of its worst step (their appendix F; the credit assignment of PURE, arXiv:2504.15275).
    A solution without any step scores 0: the empty product would make silence perfect.
    """
    return float(np.exp(log_score(steps, aggregation, neutral)))
