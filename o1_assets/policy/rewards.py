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
