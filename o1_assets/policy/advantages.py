"""Group-relative advantages of tokens: outcome GRPO, process GRPO, and PURE's minimum form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from o1_assets.policy.rewards import minimum_credit

Floats = NDArray[np.float64]


def normalise(rewards: Sequence[float] | Floats, std_floor: float) -> Floats:
    """(r - mean) / std over all rewards given; std of the population, and never below `std_floor`."""
    r = np.asarray(rewards, dtype=np.float64)
    # One reward alone says nothing about better or worse: advantage 0, whatever it is.
    return r - r if r.size < 2 else (r - r.mean()) / max(float(r.std()), std_floor)


def outcome_advantages(rewards: Sequence[float], std_floor: float = 1e-4) -> Floats:
    """Advantages (G,) of the G solutions of one problem, the same for all tokens of a solution.

    DeepSeekMath (arXiv:2402.03300), 4.1.2.
    """
    return normalise(rewards, std_floor)


def returns_to_go(steps: Floats, ends: Sequence[int], length: int) -> Floats:
    """For each of `length` tokens the sum of `steps` over the steps that end at or after it.

    ends[s] is the index of step s's last token, ascending. Tokens after the last step's end, such as an end
    token that follows the last newline, belong to the last step.
    """
    if len(steps) != len(ends):
        raise ValueError(f"{len(steps)} step values, {len(ends)} step ends")
    if not len(ends):
        return np.zeros(length)
    to_go = np.cumsum(steps[::-1])[::-1]  # (steps,): each step's value and those of all after it
    # (length,): the first step that ends at or after each token.
    step_of = np.searchsorted(np.asarray(ends), np.arange(length), side="left")
    return np.asarray(to_go[np.minimum(step_of, len(ends) - 1)])


def process_advantages(
    rewards: Sequence[Floats], ends: Sequence[Sequence[int]], lengths: Sequence[int], std_floor: float = 1e-4
) -> list[Floats]:
    """Advantages (tokens,) of each of the G solutions of one problem.

    All step rewards of the group are normalised together; a token's advantage is the sum of the normalised
    rewards of the steps that end at or after it. DeepSeekMath, 4.1.3. rewards[i] has one value a step.
    """
    # All steps of all solutions in one row, normalised, and cut up again. Normalised for each solution alone, a bad
    # solution of equally bad steps would get advantages of 0.
    normalised = normalise(np.concatenate(list(rewards)), std_floor)
    splits = np.split(normalised, np.cumsum([len(r) for r in rewards])[:-1])
    return [returns_to_go(r, e, n) for r, e, n in zip(splits, ends, lengths, strict=True)]


def minimum_advantages(
    rewards: Sequence[Floats],
    ends: Sequence[Sequence[int]],
    lengths: Sequence[int],
    temperature: float,
    std_floor: float = 1e-4,
) -> list[Floats]:
    """Advantages (tokens,) where a solution is as good as its worst step (PURE, arXiv:2504.15275, section 3).

    The solutions' soft minima are normalised over the group; a token gets the share of its solution's value
    that the steps ending at or after it answer for, so that what follows the worst step is left alone.
    """
    credits = [minimum_credit(np.asarray(r), temperature) for r in rewards]
    # A solution without steps is as bad as can be.
    minima = [float(np.dot(c, r)) if len(r) else -1.0 for c, r in zip(credits, rewards, strict=True)]
    values = normalise(minima, std_floor)
    return [
        returns_to_go(v * c, e, n) if len(c) else np.full(n, v)
        for v, c, e, n in zip(values, credits, ends, lengths, strict=True)
    ]
