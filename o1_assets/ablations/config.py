"""Every number of the ablations: how often an arm is trained, how it is judged, and what each experiment varies."""

from __future__ import annotations

from pydantic import Field

from o1_assets.ablations.active.config import ActiveConfig
from o1_assets.ablations.chains.config import ChainsConfig
from o1_assets.ablations.kinds.config import KindsConfig
from o1_assets.ablations.pools.config import PoolsConfig
from o1_assets.ablations.rl.config import RLConfig
from o1_assets.ablations.rounds.config import RoundsConfig
from o1_assets.ablations.scale.config import ScaleConfig
from o1_assets.ablations.two_curves.config import TwoCurvesConfig
from o1_assets.ablations.verifiers.config import VerifiersConfig
from o1_assets.ablations.versions.config import VersionsConfig
from o1_assets.artifact import StageConfig


class JudgeConfig(StageConfig):
    """How the policies of an experiment are measured, all on the same held-out problems."""

    problems: int = Field(150, gt=2, description="held-out problems")
    samples: int = Field(
        16, gt=1, description="solutions a problem and training seed; also the N of best-of-N"
    )
    subsets: int = Field(100, gt=0, description="random subsets for each N")
    resamples: int = Field(2000, gt=0, description="bootstrap samples of problems and seeds")
    max_tokens: int = Field(64, gt=0, description="longest solution, in tokens")
    temperature: float = Field(1.0, gt=0)
    prompt_template: str = "{question}\n"
    answer_prefix: str = "answer"


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
    judge: JudgeConfig = JudgeConfig()
    pools: PoolsConfig = PoolsConfig()
    verifiers: VerifiersConfig = VerifiersConfig()
    search_in_rl: SearchInRLConfig = SearchInRLConfig()
    active: ActiveConfig = ActiveConfig()
    scale: ScaleConfig = ScaleConfig()
    rl: RLConfig = RLConfig()
    chains: ChainsConfig = ChainsConfig()
    two_curves: TwoCurvesConfig = TwoCurvesConfig()
    rounds: RoundsConfig = RoundsConfig()
    versions: VersionsConfig = VersionsConfig()
    kinds: KindsConfig = KindsConfig()
