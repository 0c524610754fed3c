"""ablations/chains: for each source and training seed a set of solutions and an SFT on it, and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.chains.config import SOURCES, ChainSetConfig, ChainSftConfig
from o1_assets.experiments.chains.measure import make_chain_set
from o1_assets.experiments.chains.result import ChainsResultConfig, make_chains_result
from o1_assets.experiments.estimate import estimate_judged
from o1_assets.experiments.experiment import ablation, base_of
from o1_assets.experiments.pools.assets import OOD
from o1_assets.experiments.rewards.assets import GROUP as RL
from o1_assets.experiments.rewards.assets import arm_config
from o1_assets.experiments.rewards.result import START
from o1_assets.experiments.variants import chain_sft
from o1_assets.generator.assets import estimate_generator

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


GROUP = "ablations/chains"


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
    seeds = profile.ablations.seeds
    policy = arm_config(config.arm, profile.policy, rl).policy
    made: list[Artifact] = []

    def one(key: str, seed: int, compute: Any, own: Any, inputs: dict[str, str], says: str) -> str:
        made.append(
            ablation(
                profile,
                f"{GROUP}/{key}_{seed}",
                compute,
                own,
                inputs,
                f"{says}, training {seed + 1} of {seeds}.",
                seed_of=f"{RL}/{seed}",
                trains=not key.endswith("_set"),
                estimate=estimate_set if key.endswith("_set") else estimate_sft,
            )
        )
        return made[-1].key

    trained: dict[str, str] = {}
    for seed in range(seeds):
        trained |= {f"{START}_{seed}": f"{RL}/{START}_{seed}", f"rl_{seed}": f"{RL}/{config.arm}_{seed}"}
        for source in SOURCES:
            chains = ChainSetConfig(
                source=source,
                policy=policy,
                teacher=base_of(profile).corpus,
                few=profile.first_selection.solutions,
                tries=config.tries,
            )
            inputs = {"policy": "generator/model", "train": "problems/train"}
            solutions = one(
                f"{source}_set", seed, make_chain_set, chains, inputs, f"{SAYS[source]}: the solutions"
            )
            trained[f"{source}_{seed}"] = one(
                source,
                seed,
                chain_sft,
                ChainSftConfig(
                    sft=profile.sft.model_copy(
                        update={"batch_size": policy.problems_per_update * policy.group_size}
                    )
                ),
                {"policy": "generator/model", "sft_set": solutions},
                SAYS[source],
            )
    result = ablation(
        profile,
        f"{GROUP}/result",
        make_chains_result,
        ChainsResultConfig(
            arms=tuple(ArmWords(name=arm, says=says) for arm, says in SAYS.items()),
            seeds=seeds,
            judge=profile.ablations.judge,
            longer=profile.ablations.pools.longer,
        ),
        {
            "generator": "generator/model",
            "prm": f"r{rl.round:02d}/prm",
            "orm": f"r{rl.round:02d}/orm",
            "test": "problems/test",
            "ood": OOD,
            **trained,
        },
        "Whether chains that the machine finds teach it more than perfect ones that were written for it.",
        estimate=estimate_result,
    )
    return [*made, result]


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


def estimate_sft(context: EstimateContext, config: ChainSftConfig) -> Estimate:
    """As GPT* is made, from GPT* itself."""
    return estimate_generator(context.given("base", config, context["policy"]), config.sft)


def estimate_result(context: EstimateContext, config: ChainsResultConfig) -> Estimate:
    """Judged twice: on held-out problems, and on those out of distribution."""
    judged = estimate_judged(context, config)
    return judged + judged
