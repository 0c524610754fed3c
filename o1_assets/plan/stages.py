"""Which function estimates which stage, by the class of the stage's configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import Artifact, StageConfig
from o1_assets.evaluation.config import RoundEvalConfig, SummaryConfig
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.experiments.active_learning.config import (
    ActiveArmConfig,
    ActiveResultConfig,
    ActiveSelectorConfig,
)
from o1_assets.experiments.chains.config import ChainSetConfig, ChainSftConfig
from o1_assets.experiments.chains.result import ChainsResultConfig
from o1_assets.experiments.compute_curves.config import TwoCurvesConfig
from o1_assets.experiments.error_kinds.config import KindsResultConfig
from o1_assets.experiments.measure import ResultConfig
from o1_assets.experiments.model_size.measure import JudgedConfig
from o1_assets.experiments.model_size.result import ScaleResultConfig
from o1_assets.experiments.pools.config import OodConfig, PoolConfig
from o1_assets.experiments.rewards.config import RLArmConfig, UntrainedConfig
from o1_assets.experiments.rewards.result import RLResultConfig
from o1_assets.experiments.rounds.config import ArmConfig
from o1_assets.experiments.rounds.result import RoundsResultConfig
from o1_assets.experiments.search_in_rl.expert_iteration import ExpertConfig
from o1_assets.experiments.variants import (
    SizedBaseConfig,
    SizedGeneratorConfig,
    SizedORMConfig,
    SizedPRMConfig,
)
from o1_assets.experiments.verifiers.config import ScoresConfig, TrainingConfig, VerifiersResultConfig
from o1_assets.experiments.versions.config import VersionsConfig
from o1_assets.generator.config import SamplesConfig, SftConfig, SftSetConfig
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig
from o1_assets.labels.prm800k.source import ImportedConfig
from o1_assets.plan import (
    ablation_rounds,
    ablations,
    active,
    base,
    evaluation,
    generator,
    labels,
    policy,
    pools,
    problems,
    reward,
    rl,
    sampling,
    scale,
    thinking,
    verifiers,
)
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import Known
from o1_assets.plan.shape import shape_from
from o1_assets.policy.config import PolicyConfig
from o1_assets.problems.config import ProblemsConfig
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig
from o1_assets.search.q_value.config import QValueConfig

Estimator = Callable[[Artifact, Any, Known], Estimate]


ESTIMATORS: dict[type[StageConfig], Estimator] = {
    ProblemsConfig: problems.problems,
    BaseConfig: base.pretrained_here,
    SamplesConfig: generator.samples,
    SftSetConfig: generator.sft_set,
    SftConfig: generator.generator,
    SolutionsConfig: sampling.solutions,
    SelectionConfig: sampling.selection,
    LabelBatchesConfig: labels.batches,
    LabelsConfig: labels.labels,
    ImportedConfig: labels.published,
    PRMConfig: reward.prm,
    ORMConfig: reward.orm,
    QValueConfig: reward.q_value,
    PolicyConfig: policy.policy,
    RoundEvalConfig: evaluation.round_eval,
    SummaryConfig: evaluation.summary,
    ThinkingConfig: thinking.thinking,
    ExpertConfig: ablations.expert,
    ResultConfig: ablations.result,
    ActiveSelectorConfig: active.scores,
    ActiveArmConfig: active.arm,
    ActiveResultConfig: active.result,
    SizedBaseConfig: scale.sized_base,
    SizedGeneratorConfig: scale.sized_generator,
    SizedPRMConfig: scale.sized_prm,
    SizedORMConfig: scale.sized_orm,
    JudgedConfig: scale.judged,
    ScaleResultConfig: scale.result,
    UntrainedConfig: rl.untrained,
    RLArmConfig: rl.arm,
    RLResultConfig: rl.result,
    ChainSetConfig: rl.chain_set,
    ChainSftConfig: rl.chain_sft,
    ChainsResultConfig: rl.result,
    OodConfig: pools.ood,
    PoolConfig: pools.pool,
    TrainingConfig: verifiers.training,
    ScoresConfig: verifiers.scores,
    VerifiersResultConfig: verifiers.result,
    TwoCurvesConfig: ablations.two_curves,
    ArmConfig: ablation_rounds.arm,
    RoundsResultConfig: ablation_rounds.result,
    VersionsConfig: ablation_rounds.versions,
    KindsResultConfig: ablation_rounds.kinds,
}


def estimator_of(config: StageConfig) -> Estimator | None:
    """None where a stage has no estimate yet; a plan then says so instead of counting it as nothing."""
    for kind in type(config).__mro__:
        if kind in ESTIMATORS:
            return ESTIMATORS[kind]
    return base.published if shape_from(config) is not None else None
