"""Process rewards with guards switched off, told to the policy's training in the ratings that it reads.

`policy.rewards.process_rewards` has its guards in its formula. So that an arm without them runs the very same
training, a reward r of a step is written as ratings that the formula turns into r: P(neutral) = 0, P(positive) = 1
makes every prefix right, and P(negative) = 1 - r gives P(positive) - P(negative) = r.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from o1_assets.ablations.rl.config import Guards
from o1_assets.policy.config import RewardConfig
from o1_assets.reward.aggregate import NEGATIVE, NEUTRAL, POSITIVE, solution_score

Floats = NDArray[np.float64]
NO_LIMIT = 1_000_000
"""A repeat_limit that no solution reaches."""


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
