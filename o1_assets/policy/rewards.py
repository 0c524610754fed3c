"""The formulas of RL: rewards of steps, and advantages of tokens (outcome GRPO, process GRPO, PURE's minimum form).

If a step is the last one, the ORM rewards it; if not, the PRM does. Rewards lie in [-1, 1]. Three guards stand against
what is known to be hacked in process rewards (PURE, arXiv:2504.15275). A step counts only as far as the steps before it
are right, because ratings stop at the first wrong step and the PRM was never taught what comes after. A neutral step
costs a little. A step that is repeated over and over costs as much as a wrong one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray

from o1_assets.policy.config import RewardConfig
from o1_assets.reward.aggregate import NEGATIVE, NEUTRAL, POSITIVE, solution_score
from o1_assets.reward.interface import Floats


def process_rewards(probabilities: np.ndarray, steps: Sequence[str], config: RewardConfig) -> Floats:
    """Rewards (steps,) by the PRM: `step_values`, and -1 for a step that is empty or repeated too often.

    Raises ValueError if there is not one row a step.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != (len(steps), 3):
        raise ValueError(f"{len(steps)} steps, but step probabilities of shape {p.shape}")
    rewards = step_values(p, config)
    rewards[repeated(steps, config.repeat_limit)] = -1.0
    return rewards


def step_values(probabilities: Floats, config: RewardConfig) -> Floats:
    """Rewards (steps,) of ratings (steps, 3): P(prefix right) * (P(positive) - P(negative) - cost * P(neutral)).

    That is the rating to be expected of the step, were neutral ones rated -cost. P(prefix right) is the solution score
    of the steps before it, and 1 where the profile switches that guard off.
    """
    p = np.asarray(probabilities, dtype=np.float64).reshape(-1, 3)
    values = p[:, POSITIVE] - p[:, NEGATIVE] - config.neutral_cost * p[:, NEUTRAL]
    if config.prefix_guard:
        # (steps,): the first step has nothing before it, hence 1 (the score of no steps at all is 0).
        values = values * np.array([solution_score(p[:i]) if i else 1.0 for i in range(len(p))])
    return np.asarray(values)


def repeated(steps: Sequence[str], limit: int) -> NDArray[np.bool_]:
    """Which steps are empty or have occurred in the solution `limit` times already; shape (steps,)."""
    seen: Counter[str] = Counter()
    flags = np.zeros(len(steps), dtype=bool)
    for i, step in enumerate(steps):
        text = " ".join(step.split())
        flags[i] = not text or seen[text] >= limit
        seen[text] += 1
    return flags


def outcome_reward(probability: float, finished: bool) -> float:
    """2 P(correct) - 1; a solution that never ended has no final answer and gets -1."""
    return 2.0 * float(probability) - 1.0 if finished else -1.0


def step_rewards(process: Floats, outcome: float, config: RewardConfig) -> Floats:
    """Rewards (steps,) of one solution: `outcome` for the last step, `process` (steps,) for the others."""
    if config.form == "process" or not len(process):
        return process
    return np.concatenate([process[:-1], [config.outcome_weight * outcome]])


def minimum_credit(process: Floats, temperature: float) -> Floats:
    """How much of the solution's process reward each step answers for; shape (steps,), sums to 1.

    PURE's credit assignment: softmax of -reward / temperature, so that the weighted sum of the rewards goes
    to their minimum as the temperature goes to 0.
    """
    if not len(process):
        return process
    logits = -process / temperature
    weights = np.exp(logits - logits.max())  # the largest is exp(0): nothing overflows at low temperatures
    return weights / weights.sum()


# From rewards of steps to advantages of tokens, relative to the group of solutions of one problem.


def normalise(rewards: Sequence[float] | Floats, std_floor: float | None) -> Floats:
    """(r - mean) / std over all rewards given; std of the population, and never below `std_floor`. With None they are
    not divided (Dr. GRPO, arXiv:2503.20783, 3.2)."""
    r = np.asarray(rewards, dtype=np.float64)
    # One reward alone says nothing about better or worse: advantage 0, whatever it is.
    if r.size < 2:
        return r - r
    return (r - r.mean()) / (1.0 if std_floor is None else max(float(r.std()), std_floor))


def outcome_advantages(rewards: Sequence[float], std_floor: float | None = 1e-4) -> Floats:
    """Advantages (G,) of the G solutions of one problem, the same for all tokens of a solution.

    DeepSeekMath (arXiv:2402.03300), 4.1.2.
    """
    return normalise(rewards, std_floor)


def pass_k_advantages(right: Sequence[bool], k: int) -> Floats:
    """Advantages (G,) of the G solutions of one problem where what is rewarded is that any of k is right.

    Each is the mean, over all subsets of k solutions that hold it, of the subset's reward, normalised over all subsets:
    arXiv:2508.10751, 2.4.
    """
    solutions = len(right)
    wrong = solutions - sum(right)
    mean = 1 - comb(wrong, k) / comb(solutions, k)
    if mean in (0.0, 1.0):  # all subsets are rewarded alike
        return np.zeros(solutions)
    # Beside a wrong solution, the k - 1 others of a subset are all wrong with this chance.
    none_right = comb(wrong - 1, k - 1) / comb(solutions - 1, k - 1)
    deviation = sqrt(mean * (1 - mean))
    return np.where(right, (1 - mean) / deviation, (1 - mean - none_right) / deviation)


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
    rewards: Sequence[Floats],
    ends: Sequence[Sequence[int]],
    lengths: Sequence[int],
    std_floor: float | None = 1e-4,
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
    std_floor: float | None = 1e-4,
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
