"""The models that mini/eval compares, the ways a student was taught, and what is measured of each."""

from __future__ import annotations

from dataclasses import dataclass

from o1_assets.core.flops import flops_generate
from o1_assets.evaluation.best_of_n import powers_of_two
from o1_assets.evaluation.evaluate_policy import (
    PASS_AT_1,
    Evaluation,
)
from o1_assets.evaluation.statistics import Floats

# Input -> what it is called, from the weakest on.
MODELS = {"base": "base", "generator": "GPT*", "policy": "baby-o1", "mini": "o1-mini"}
BABY, MINI = "policy", "mini"

# Input -> how the student was taught. The first two are distillation, the others its controls.
ARMS = {
    "on_policy": "on-policy distillation from baby-o1, after its chains",
    "chains": "SFT on baby-o1's chains that PRM and ORM accept",
    "generator_chains": "SFT on GPT*'s right chains",
    "rl": "RL on the student itself, after GPT*'s right chains",
    "student": "pre-trained alone",
}


@dataclass(frozen=True)
class Measured:
    """One model on the held-out problems. flops, tokens: of one chain. megabytes: of its weights' files."""

    evaluation: Evaluation
    parameters: int
    tokens: float
    megabytes: float

    @property
    def flops(self) -> float:
        return flops_generate(self.parameters, self.tokens)

    def right(self, measure: str = PASS_AT_1) -> Floats:
        """[problems]"""
        return self.evaluation.measures(0)[measure]

    @property
    def best_of_n_flops(self) -> float:
        """Of all samples of a problem, and of the PRM's reading."""
        return self.evaluation.cost.flops / len(self.evaluation.problem_ids)


def votes_for(chains: float, model: Measured) -> int:
    """The largest N that was measured and needs at most so many chains; at least 1."""
    samples = model.evaluation.pools[0].samples
    return max([n for n in powers_of_two(samples) if n <= chains], default=1)
