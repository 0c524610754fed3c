"""Every number of ablations/rl: which forms of reward are compared, and how long a policy is trained with each."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig

# In the order in which they are shown, after GPT* itself.
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

# What is trained unless more is asked for. Each guard alone and the true answer are four more arms. The minimum form
# and KL were within noise of the sum, and answered (docs/decisions/experiments.md). What searched solutions in the
# groups are worth is asked by `search_in_rl`, at equal tokens and in an eighth of the time.
USUAL = ("outcome", "process", "both_sum", "process_bare")


class RLConfig(StageConfig):
    """ablations/rl. What is not said here is as in the profile's `policy`."""

    round: int = Field(0, ge=0, description="whose reward models reward; GPT* is always the start")
    arms: tuple[str, ...] = Field(USUAL, min_length=1, description="which of the forms are trained")
    updates: int = Field(300, gt=0, description="of every arm")
    problems_per_update: int = Field(4, gt=0)
    """Problems an update of every arm."""
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
