"""ablations/chains: for each source and training seed a set of solutions and an SFT on it, and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.chains.config import SOURCES, ChainSetConfig, ChainSftConfig
from o1_assets.experiments.chains.measure import make_chain_set
from o1_assets.experiments.chains.result import ChainsResultConfig, make_chains_result
from o1_assets.experiments.experiment import ablation, base_of
from o1_assets.experiments.pools.assets import OOD
from o1_assets.experiments.rewards.assets import GROUP as RL
from o1_assets.experiments.rewards.assets import arm_config
from o1_assets.experiments.rewards.result import START
from o1_assets.experiments.variants import chain_sft

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
    )
    return [*made, result]
