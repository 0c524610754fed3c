"""Every number of ablations/active: what is chosen from, how PRMs are trained and what they are evaluated on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.reward.config import PRMConfig

Setting = Literal["scratch", "added"]
Strategy = Literal["uniform", "convincing_wrong", "uncertain"]

# The first is what the others are compared with.
STRATEGIES: tuple[Strategy, ...] = ("uniform", "convincing_wrong", "uncertain")
SETTINGS: tuple[Setting, ...] = ("scratch", "added")


class ActiveConfig(StageConfig):
    """ablations/active. What is not said here is as in the profile's `first_prm` (trained from scratch), `later_prm`
    (added to phase 1) and `later_solutions`.

    The claim `active_slope_ratio` is read off the setting "scratch", 80/20 against uniform, best-of-N against labelled
    solutions. It was chosen before any figure was seen, for two reasons: it is the comparison of the paper (figure 4),
    so its 2.6 means the same thing; and without labels a PRM knows nothing, so there accuracy has to rise with
    uniform labels, while a ratio to the nearly level line of a PRM that has phase 1 already would mean nothing.
    """

    settings: tuple[Setting, ...] = Field(
        ("scratch",),
        description="what is trained on the chosen solutions: scratch, and added; added to phase 1's labels no "
        "strategy differed (docs/decisions/experiments.md)",
    )
    round: int = Field(
        3,
        ge=-1,
        description="whose baby-o1 is chosen from (the last one's where there are fewer); -1: GPT*. Later ones are "
        "mostly right, and what they get wrong is rarer and more convincing",
    )
    pool_problems: int = Field(400, gt=0, description="train problems whose solutions are chosen from")
    pool_samples: int = Field(64, gt=0, description="solutions of each; the paper has 1,000")
    held_out_problems: int = Field(300, gt=1, description="test problems that the PRMs are evaluated on")
    held_out_samples: int = Field(
        64, gt=1, description="solutions of each, of the same policy; the N of best-of-N"
    )
    # Doublings, because accuracy is read against the logarithm of the labels.
    sizes: tuple[int, ...] = Field((50, 100, 200, 400), min_length=2, description="labelled solutions")
    per_problem: int = Field(2, gt=0, description="most solutions of one problem")
    wrong_share: float = Field(0.8, ge=0, le=1, description="of 80/20: convincing wrong answers")
    selector_solutions: int = Field(
        100, gt=0, description="scratch: solutions, one a problem, that the selector is trained on"
    )
    # Equal at every size: more labels must not also mean a longer training.
    updates: int = Field(120, gt=0, description="of every training, selectors too, whatever the size")
    class_balance: float = Field(0.0, ge=0, le=1, description="of every training: as in RewardModelConfig")
    newest_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="added: share of a batch that is from the chosen solutions, not from phase 1",
    )
    step_samples: int = Field(8, gt=0, description="held-out solutions a problem that step F1 is measured on")
    resamples: int = Field(2000, gt=0, description="bootstrap samples of problems and seeds")

    @field_validator("settings")
    @classmethod
    def _has_what_is_claimed(cls, settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
        if "scratch" not in settings:
            raise ValueError("the claim is read off scratch; name it, with added or without")
        return tuple(setting for setting in SETTINGS if setting in settings)


class ActiveSelectorConfig(StageConfig):
    """ablations/active/scores_<seed>. prm: of the selector that is trained from scratch."""

    solutions: int
    prm: PRMConfig


class ActiveArmConfig(StageConfig):
    """ablations/active/<setting>_<strategy>_<seed>: trainings on `sizes` solutions each."""

    setting: Setting
    strategy: Strategy
    sizes: tuple[int, ...]
    per_problem: int
    wrong_share: float
    step_samples: int
    choice_seed: int = Field(description="equal in all settings: the same uniform draws")
    prm: PRMConfig


class ActiveResultConfig(StageConfig):
    """ablations/active/result."""

    seeds: int
    settings: tuple[Setting, ...] = SETTINGS
    sizes: tuple[int, ...]
    samples: int
    selector_solutions: int
    policy: str
    resamples: int


# What settings and strategies are called where people read about them.

SAYS = {
    "scratch": "trained on the chosen solutions alone",
    "added": "fine-tuned from phase 1's PRM on the chosen solutions and phase 1's labels",
    "uniform": "uniform choice",
    "convincing_wrong": "80/20 convincing wrong answers",
    "uncertain": "where the selector is least confident",
}
