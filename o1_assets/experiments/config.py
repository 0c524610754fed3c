"""Every number of the ablations: how often an arm is trained, how it is judged, and what each experiment varies."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.evaluation.config import SUBSETS_OF, EvalConfig
from o1_assets.experiments.active_learning.config import ActiveConfig
from o1_assets.experiments.chains.config import ChainsConfig
from o1_assets.experiments.code.config import CodeConfig
from o1_assets.experiments.compute_curves.result import TwoCurvesConfig
from o1_assets.experiments.error_kinds.config import KindsConfig
from o1_assets.experiments.grpo.config import GrpoConfig
from o1_assets.experiments.model_size.config import ScaleConfig
from o1_assets.experiments.pools.config import PoolsConfig
from o1_assets.experiments.puzzles.result import PuzzlesConfig
from o1_assets.experiments.rewards.config import RLConfig
from o1_assets.experiments.rounds.config import RoundsConfig
from o1_assets.experiments.thinking.result import ThoughtConfig
from o1_assets.experiments.verifiers.config import VerifiersConfig
from o1_assets.experiments.versions import VersionsConfig


class SearchInRLConfig(StageConfig):
    """ablations/search_in_rl: how tree search enters the policy's training.

    What is not said here is as in the profile's `policy`.
    """

    round: int = Field(0, ge=0, description="whose reward models reward; the policy before it is the start")
    updates: int = Field(14, gt=0, description="of every arm: a round of nano has as many")
    problems_per_update: int = Field(
        12, gt=0, description="of an arm without search; the others have as many as cost the same tokens"
    )
    iterations: int = Field(4, gt=0, description="of expert iteration: searches and fine-tunings in turn")
    learning_rate: float = Field(5e-4, gt=0, description="of expert iteration's fine-tuning")


class AblationsConfig(StageConfig):
    """The optional part `ablations`."""

    seeds: int = Field(3, gt=1, description="trainings of each arm; equal numbers see equal problems")
    judge: EvalConfig = EvalConfig()
    pools: PoolsConfig = PoolsConfig()
    verifiers: VerifiersConfig = VerifiersConfig()
    search_in_rl: SearchInRLConfig = SearchInRLConfig()
    grpo: GrpoConfig = GrpoConfig()
    active: ActiveConfig = ActiveConfig()
    scale: ScaleConfig = ScaleConfig()
    rl: RLConfig = RLConfig()
    chains: ChainsConfig = ChainsConfig()
    two_curves: TwoCurvesConfig = TwoCurvesConfig()
    thinking: ThoughtConfig = ThoughtConfig()
    rounds: RoundsConfig = RoundsConfig()
    versions: VersionsConfig = VersionsConfig()
    kinds: KindsConfig = KindsConfig()
    code: CodeConfig = CodeConfig()
    puzzles: PuzzlesConfig = PuzzlesConfig()

    @model_validator(mode="after")
    def _results_can_be_measured(self) -> Self:
        """Before anything is trained. `chosen` raises for an arm that there is not."""
        assert self.rl.chosen and self.grpo.chosen
        verifiers, samples = self.verifiers, self.pools.samples
        if unknown := sorted(set(verifiers.compared) - set(verifiers.sizes)):
            raise ValueError(
                f"verifiers.compared has {unknown[0]}, which is none of verifiers.sizes, {list(verifiers.sizes)}"
            )
        # A power of two has a single bit.
        if verifiers.n & (verifiers.n - 1):
            raise ValueError(
                f"verifiers.n is {verifiers.n}; best of N is measured at powers of two, give one"
            )
        if verifiers.n > samples:
            raise ValueError(f"verifiers.n is {verifiers.n}, but pools.samples only {samples}; raise that")
        for name, n in (("rounds", self.rounds.best_of), ("versions", self.versions.best_of)):
            if SUBSETS_OF * n > samples:
                raise ValueError(
                    f"{name}.best_of is {n}, whose subsets are drawn from {SUBSETS_OF * n} samples, but pools.samples "
                    f"is only {samples}; raise that"
                )
        return self
