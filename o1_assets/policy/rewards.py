"""What a step is worth: if it is the last one, the ORM rewards it; if not, the PRM does.

Rewards lie in [-1, 1]. Three guards against what is known to be hacked in process rewards (PURE,
arXiv:2504.15275): a step counts only as far as the steps before it are right, because ratings stop at the
first wrong step and the PRM was never taught what comes after; a neutral step costs a little; a step that is
repeated over and over costs as much as a wrong one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from o1_assets.experiments.rewards.config import Guards
from o1_assets.policy.config import RewardConfig
from o1_assets.reward.aggregate import NEGATIVE, NEUTRAL, POSITIVE, solution_score
from o1_assets.reward.interface import Floats


def process_rewards(probabilities: np.ndarray, steps: Sequence[str], config: RewardConfig) -> Floats:
    """Rewards (steps,) by the PRM: P(prefix right) * (P(positive) - P(negative) - cost * P(neutral)).

    That is the rating to be expected of the step, were neutral ones rated -cost. P(prefix right) is the
    solution score of the steps before it. Raises ValueError if there is not one row a step.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != (len(steps), 3):
        raise ValueError(f"{len(steps)} steps, but step probabilities of shape {p.shape}")
    # (steps,): the first step has nothing before it, hence 1 (the score of no steps at all is 0).
    right_before = np.array([solution_score(p[:i]) if i else 1.0 for i in range(len(p))])
    rewards = right_before * (p[:, POSITIVE] - p[:, NEGATIVE] - config.neutral_cost * p[:, NEUTRAL])
    rewards[repeated(steps, config.repeat_limit)] = -1.0
    return rewards


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


# Process rewards with guards switched off, told to the policy's training in the ratings that it reads.
#
# `policy.rewards.process_rewards` has its guards in its formula. So that an arm without them runs the very same
# training, a reward r of a step is written as ratings that the formula turns into r: P(neutral) = 0, P(positive) = 1
# makes every prefix right, and P(negative) = 1 - r gives P(positive) - P(negative) = r.
#


# A repeat_limit that no solution reaches.
NO_LIMIT = 1_000_000


def step_values(probabilities: Floats, guards: Guards, neutral_cost: float) -> Floats:
    """Rewards (steps,) by the PRM's ratings (steps, 3), as far as they do not depend on what is repeated.

    With the guard, a neutral step costs; without it counts as right, as in a solution's score (Lightman et al. 2023,
    section 2.6): the expected rating when neutral is positive, the reward that is hacked in PURE (arXiv:2504.15275).
    """
    p = np.asarray(probabilities, dtype=np.float64).reshape(-1, 3)
    worth = -neutral_cost if guards.neutral else 1.0
    values = p[:, POSITIVE] - p[:, NEGATIVE] + worth * p[:, NEUTRAL]
    if guards.prefix:
        values = values * np.array([solution_score(p[:i]) if i else 1.0 for i in range(len(p))])
    return np.asarray(values)


def as_ratings(values: Floats) -> Floats:
    """Ratings (steps, 3) of which `process_rewards` makes exactly these values, with any neutral cost."""
    ratings = np.zeros((len(values), 3))
    ratings[:, POSITIVE], ratings[:, NEGATIVE] = 1.0, 1.0 - np.asarray(values)
    return ratings


def without(reward: RewardConfig, guards: Guards) -> RewardConfig:
    """`reward` with its guard against repeated steps off where `guards` says so; the others are off in the ratings."""
    return reward if guards.repeats else reward.model_copy(update={"repeat_limit": NO_LIMIT})
