"""An arm trained as every round's policy is."""

from __future__ import annotations

from o1_assets.ablations.spent import write_cost
from o1_assets.artifact import Outcome, Task
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.train import make_policy


def grpo_arm(task: Task, config: PolicyConfig) -> Outcome:
    """`make_policy`, and what it cost."""
    outcome = make_policy(task, config)
    write_cost(task.out, outcome.cost, config.updates)
    return outcome
