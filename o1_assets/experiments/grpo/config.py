"""Every number of ablations/grpo: which settings of the objective are tried, and for how long."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig

# Arm -> what it does.
SAYS = {
    "as_today": "the profile's policy as it is",
    "no_kl": "no pull towards GPT*",
    "no_resampling": "groups without contrast are kept",
    "resampling": "groups without contrast are replaced, as far as as many problems again go (DAPO)",
    "curriculum": "problems of which about half of the samples are right are drawn more often",
    "sequence_loss": "the loss is a mean over solutions, not over tokens (GRPO)",
    "dr_grpo": "rewards are not scaled, the loss is divided by a constant (Dr. GRPO)",
    "epochs": "two passes over each batch, the ratio clipped at .2 below and above",
    "clip_higher": "two passes over each batch, clipped at .2 below and .28 above (DAPO)",
    "minibatches": "two updates a batch, each on half of it",
    "entropy": "a bonus for the entropy of a token",
    "pass_k": "the objective is pass@4",
    "overlong_filter": "nothing is learned from solutions that were cut off (DAPO)",
    "overlong_soft": "the last quarter of the tokens allowed costs up to 1 (DAPO)",
}
CONTROL = "as_today"

# Trained unless more is asked for: those that a profile's own policy may be doing without, or could. Four others were
# not told from the control, and the rest have not been tried (docs/decisions/experiments.md).
USUAL = ("no_kl", "no_resampling", "resampling", "pass_k")


class GrpoConfig(StageConfig):
    """ablations/grpo. What is not said here is as in the profile's `policy`."""

    round: int = Field(0, ge=0, description="whose reward models reward; the policy before it is the start")
    arms: tuple[str, ...] = Field(USUAL, min_length=1, description="which are trained beside as_today")
    batches: int = Field(24, gt=0, description="of solutions, in every arm: a round of nano has as many")
    entropy: float = Field(0.003, gt=0, description="weight of the bonus in the arm entropy")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The arms in the order in which they are shown. Raises ValueError on one that there is not."""
        if unknown := sorted(set(self.arms) - set(SAYS)):
            raise ValueError(
                f"ablations.grpo.arms: there is no arm {unknown[0]!r}; there are {', '.join(SAYS)}"
            )
        return tuple(arm for arm in SAYS if arm in self.arms or arm == CONTROL)
