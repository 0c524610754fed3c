"""ablations/chains: RL on the machine's own chains against SFT on chains that were written for it.

Its RL is an arm of ablations/rl. Each SFT makes as many updates as that, on as many solutions of the same problems.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.chains.config import ChainSetConfig, Source
from o1_assets.experiments.chains.measure import make_chain_set
from o1_assets.experiments.chains.result import OOD_RUN, ChainsResultConfig, make_chains_result
from o1_assets.experiments.experiment import Experiment, ablation, base_of, experiment_artifacts
from o1_assets.experiments.measure import TEST, Made, policy_arm
from o1_assets.experiments.pools.assets import OOD
from o1_assets.experiments.rewards.assets import GROUP as RL
from o1_assets.experiments.rewards.assets import arm_policy
from o1_assets.experiments.rewards.result import START
from o1_assets.experiments.variants import PART
from o1_assets.generator.assets import estimate_generator
from o1_assets.generator.sft import make_generator

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/chains"

SAYS = {
    START: "GPT* as it is",
    "rl": "RL, rewarded by PRM and ORM",
    "own": "SFT on GPT*'s own right solutions",
    "written_few": "SFT on written solutions, as many as people had rated for RL's reward models",
    "written": "SFT on written solutions, as many as RL made",
}


def artifacts(profile: Profile) -> list[Artifact]:
    """None where ablations/rl leaves out the arm that stands for RL."""
    config, rl = profile.ablations.chains, profile.ablations.rl
    if config.arm not in rl.chosen:
        return []
    seeds, judge = profile.ablations.seeds, profile.ablations.judge
    policy = arm_policy(config.arm, profile.policy, rl)
    sft = profile.sft.model_copy(update={"batch_size": policy.problems_per_update * policy.group_size})

    def fine_tuned(source: Source, seed: int) -> Made:
        def says(what: str) -> str:
            return f"{SAYS[source]}{what}, training {seed + 1} of {seeds}."

        chains = ChainSetConfig(
            source=source,
            policy=policy,
            teacher=base_of(profile).corpus,
            few=profile.first_selection.solutions,
            tries=config.tries,
        )
        solutions = ablation(
            profile,
            f"{GROUP}/{source}_set_{seed}",
            make_chain_set,
            chains,
            {"policy": "generator/model", "train": "problems/train"},
            says(": the solutions"),
            seed_of=f"{RL}/{seed}",
            estimate=estimate_set,
        )
        model = ablation(
            profile,
            f"{GROUP}/{source}_{seed}",
            make_generator,
            sft,
            {"base": "generator/model", "sft_set": solutions.key},
            says(""),
            seed_of=f"{RL}/{seed}",
            trains=True,
            estimate=estimate_generator,
        )
        return [solutions, model], model.key

    def make(arm: str, seed: int) -> Made:
        if arm == START:
            return [], "generator/model"
        if arm == "rl":
            return [], f"{RL}/{config.arm}_{seed}"
        return fine_tuned(cast(Source, arm), seed)

    # Out of distribution the expressions are longer, and so may be their solutions.
    longer = {"prompt": judge.prompt.scaled(profile.ablations.pools.longer)}
    models = {"generator": "generator/model", "prm": f"r{rl.round:02d}/prm"}
    experiment = Experiment(
        name="chains",
        question="Whether chains that the machine finds teach it more than perfect ones that were written for it.",
        arms=[
            policy_arm(
                profile,
                GROUP,
                arm,
                SAYS[arm],
                models,
                partial(make, arm),
                problem_sets={**TEST, OOD_RUN: (OOD, longer)},
            )
            for arm in SAYS
        ],
        compute=make_chains_result,
        config=ChainsResultConfig(
            arms=tuple(ArmWords(name=arm, says=says) for arm, says in SAYS.items()), seeds=seeds, judge=judge
        ),
        inputs={},
    )
    return experiment_artifacts(experiment, profile)


def estimate_set(context: EstimateContext, config: ChainSetConfig) -> Estimate:
    """GPT*'s own solutions are sampled, written ones cost nothing."""
    assumed, policy = context.assumptions, config.policy
    drawn = policy.updates * policy.problems_per_update
    examples = drawn * policy.group_size
    # Written solutions repeat: a tenth of them are new bytes in the column where they stand.
    samples, different = 0.0, examples * 0.1
    if config.source == "own":
        samples = min(drawn, context["train"].problems) * config.tries * policy.group_size
        different = min(examples, samples * assumed.kept_share)
    text = (assumed.question_tokens + assumed.solution_tokens) * assumed.bytes_a_token / 2
    return Estimate(
        drawn,
        samples,
        examples=examples,
        cost=context.generate("policy", samples * context.solution_tokens(policy.prompt)),
        stored=TABLES / 2 + different * text,
    )
