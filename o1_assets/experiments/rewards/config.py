"""Every number of ablations/rl: how long each form of reward is trained with, and what is switched off where."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.policy.config import PolicyConfig

EVERY_ARM = (
    "outcome",
    "process",
    "both_sum",
    "both_minimum",
    "both_kl",
    "both_search",
    "process_bare",
    "process_prefix",
    "process_neutral",
    "process_repeats",
    "grader",
)
"""In the order in which they are shown, after GPT* itself."""


USUAL = EVERY_ARM[:7]
"""What is trained unless more is asked for: each guard alone and the true answer are four arms more."""


class Guards(StageConfig):
    """What keeps process rewards from being hacked (policy/rewards.py), each of which can be switched off here."""

    prefix: bool = Field(True, description="a step counts only as far as the steps before it are right")
    neutral: bool = Field(True, description="a neutral step costs; off: it counts as a right one")
    repeats: bool = Field(True, description="a step that is repeated over and over counts as a wrong one")

    @property
    def all_on(self) -> bool:
        return self.prefix and self.neutral and self.repeats


BARE = Guards(prefix=False, neutral=False, repeats=False)


class RLArmConfig(StageConfig):
    """One training: a policy's configuration, and which guards stand."""

    policy: PolicyConfig
    guards: Guards = Guards()


class UntrainedConfig(StageConfig):
    """GPT* as it is, beside which every training is judged. It has nothing to set."""


class RLConfig(StageConfig):
    """ablations/rl. What is not said here is as in the profile's `policy`."""

    round: int = Field(0, ge=0, description="whose reward models reward; GPT* is always the start")
    arms: tuple[str, ...] = Field(USUAL, min_length=1, description="which of the forms are trained")
    updates: int = Field(300, gt=0, description="of every arm")
    problems_per_update: int = Field(4, gt=0)
    group_size: int = Field(6, gt=1, description="solutions a problem")
    learning_rate: float | None = Field(None, gt=0, description="null: the profile's policy's")
    kl_coefficient: float = Field(0.04, gt=0, description="of the arm with KL; DeepSeekMath's")
    windows: int = Field(15, gt=1, description="points of a learning curve: means over so many equal parts")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The arms in the order in which they are shown. Raises ValueError on one that there is not."""
        if unknown := sorted(set(self.arms) - set(EVERY_ARM)):
            raise ValueError(
                f"ablations.rl.arms: there is no arm {unknown[0]!r}; there are {', '.join(EVERY_ARM)}"
            )
        return tuple(arm for arm in EVERY_ARM if arm in self.arms)
