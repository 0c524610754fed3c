"""What an artifact's estimate may ask for: the profile's model, the assumptions, and the estimates before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from o1_assets.core.artifact import Artifact, Cost, StageConfig
from o1_assets.core.flops import flops_generate, flops_score, flops_train
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.shape import Shape
from o1_assets.plan.typical import Typical
from o1_assets.profiles.profile import Profile


@dataclass(frozen=True)
class Known:
    """made: key -> its estimate, of all artifacts before. Every model of a profile has the shape of its base."""

    profile: Profile
    typical: Typical
    shape: Shape
    made: Mapping[str, Estimate]
    weight_bytes: int = 4

    @property
    def reads_generator(self) -> bool:
        """Whether the reward models read the generator's log-probabilities."""
        return self.profile.later_prm.probability_feature

    def of(self, artifact: Artifact, name: str) -> Estimate:
        """The estimate of an input by its short name."""
        return self.made[artifact.inputs[name]]

    def all_of(self, artifact: Artifact, prefix: str) -> list[Estimate]:
        """Of the inputs whose short name begins with `prefix`, in order."""
        return [self.made[artifact.inputs[n]] for n in sorted(artifact.inputs) if n.startswith(prefix)]

    def longest(self, artifact: Artifact) -> int:
        """Tokens that the solutions of an artifact's round may have."""
        return self.profile.solutions(int(artifact.key[1:3])).prompt.max_tokens

    def generate(self, tokens: float) -> Cost:
        return Cost(flops_generate(self.shape.non_embedding, tokens), tokens_generated=round(tokens))

    def score(self, tokens: float) -> Cost:
        return Cost(flops_score(self.shape.non_embedding, tokens), tokens_scored=round(tokens))

    def train(self, tokens: float, config: StageConfig) -> Cost:
        """config: of the stage that trains; with low-rank updates the weights get no gradient."""
        tuning = getattr(config, "tuning", None)
        frozen = getattr(tuning, "lora", None) is not None
        flops = flops_train(self.shape.non_embedding, round(tokens), frozen)
        return Cost(flops, tokens_trained=round(tokens))

    def passes(self, reward_models: int) -> int:
        """Forward passes over what so many reward models score together: theirs, and the generator's if it is read."""
        return reward_models + self.reads_generator

    def distinct(self, prompt: float, samples: float, rounds_of_rl: int, longest: float) -> float:
        """Tokens that are left of N samples of one problem when what they share stands once (`reward.tree`).

        A row has room for two of the longest solutions; what begins another row repeats the prompt.
        """
        from o1_assets.reward.tree import ROW_TOKENS

        each = min(self.typical.solution_tokens, longest)
        once = prompt + each * samples ** self.typical.novelty(rounds_of_rl)
        room = max(ROW_TOKENS, 2 * (prompt + longest))
        return once + prompt * max(0.0, once / room - 1)

    def searched(self, prompt: float, solutions: float, rounds_of_rl: int, longest: float) -> float:
        """The same of a tree search that wrote as many tokens as N solutions have.

        It samples siblings and follows one: a small tree holds less than samples do, a large one as much (nano's beam
        at 64 to 2,048 tokens, and MCTS at 128).
        """
        whole = self.distinct(prompt, solutions, rounds_of_rl, longest)
        return prompt + (whole - prompt) * min(1.0, NARROW * solutions**0.25)

    def checkpoint(self, heads: int = 0) -> float:
        """Bytes of a checkpoint with its tokenizer and a plot; heads: classes of a reward model."""
        matrices = 1 if heads or self.shape.tied else 2
        weights = self.shape.non_embedding + (matrices * self.shape.vocabulary + heads) * self.shape.width
        return weights * self.weight_bytes + 70 * self.shape.vocabulary + 3_000 + PLOT


NARROW = 0.35
"""Of what one sample holds, what is new in a tree of as many tokens; grows with the fourth root of the tokens."""


PLOT = 12_000.0
"""Bytes of a PNG."""


def rounds_of_rl(policy: str) -> int:
    """How many rounds of RL a checkpoint has been through: 0 for base and generator, k + 1 for rkk/policy."""
    name = policy.partition("/")[0]
    return int(name[1:]) + 1 if name[1:].isdigit() else 0
