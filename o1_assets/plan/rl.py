"""ablations/rl and ablations/chains: arms of GRPO that are watched, and SFT on as many solutions as they made."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.chains.config import ChainSetConfig, ChainSftConfig
from o1_assets.experiments.chains.result import ChainsResultConfig
from o1_assets.experiments.measure import ResultConfig
from o1_assets.experiments.rewards.config import RLArmConfig, UntrainedConfig
from o1_assets.experiments.rewards.result import CHARTS, RLResultConfig
from o1_assets.plan import ablations, generator, policy
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known
from o1_assets.plan.problems import TABLE

POINT_BYTES = 60.0
"""Of a row of watched.parquet."""


WRITTEN_REPEATS = 0.1
"""Bytes that a solution takes in a column where it stands many times, as a share of those it has alone."""


def arm(artifact: Artifact, config: RLArmConfig, known: Known) -> Estimate:
    """As a policy that both reward models read, whatever it is rewarded for; it has no plots."""
    reward = config.policy.reward.model_copy(update={"form": "both_sum"})
    whole = policy.policy(artifact, config.policy.model_copy(update={"reward": reward}), known)
    stored = known.checkpoint() - PLOT + TABLE / 2 + config.policy.updates * POINT_BYTES
    return Estimate(whole.problems, whole.samples, cost=whole.cost, stored=stored)


def untrained(artifact: Artifact, config: UntrainedConfig, known: Known) -> Estimate:
    return Estimate(stored=known.checkpoint() - PLOT)


def result(artifact: Artifact, config: RLResultConfig | ChainsResultConfig, known: Known) -> Estimate:
    """As every experiment whose arms are policies. ablations/rl keeps what was watched too; ablations/chains judges a
    second time, out of distribution."""
    judged = ResultConfig(
        name="", title="", question="", arms=config.arms, today="", seeds=config.seeds, judge=config.judge
    )
    whole = ablations.result(artifact, judged, known)
    if isinstance(config, ChainsResultConfig):
        return whole + whole
    points = known.profile.ablations.rl.updates * (len(config.arms) - 1) * config.seeds
    stored = whole.stored + CHARTS * PLOT + points * POINT_BYTES
    return Estimate(whole.problems, whole.samples, cost=whole.cost, stored=stored)


def chain_set(artifact: Artifact, config: ChainSetConfig, known: Known) -> Estimate:
    """GPT*'s own solutions are sampled, written ones cost nothing."""
    typical, drawn = known.typical, config.policy.updates * config.policy.problems_per_update
    examples = drawn * config.policy.group_size
    letters = (typical.question_tokens + typical.solution_tokens) * typical.bytes_a_token
    different = examples * WRITTEN_REPEATS
    samples = 0.0
    if config.source == "own":
        problems = min(drawn, known.of(artifact, "train").problems)
        samples = problems * config.tries * config.policy.group_size
        different = min(examples, samples * typical.kept_share)
    tokens = samples * min(typical.solution_tokens, config.policy.prompt.max_tokens)
    return Estimate(
        drawn,
        samples,
        examples=examples,
        cost=known.generate(tokens),
        stored=TABLE / 2 + different * letters / 2,
    )


def chain_sft(artifact: Artifact, config: ChainSftConfig, known: Known) -> Estimate:
    """As GPT* is made."""
    return generator.generator(artifact, config.sft, known)
