"""ablations/rl: an artifact for each arm and training seed, and the result."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import Estimate, EstimateContext
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.estimate import estimate_judged
from o1_assets.experiments.experiment import ablation
from o1_assets.experiments.rewards.config import BARE, Guards, RLArmConfig, RLConfig, UntrainedConfig
from o1_assets.experiments.rewards.measure import rl_arm, untrained
from o1_assets.experiments.rewards.result import START, RLResultConfig, make_rl_result
from o1_assets.policy.config import GroupSearchConfig, PolicyConfig
from o1_assets.policy.estimate import estimate_grpo

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


GROUP = "ablations/rl"


NO_SEARCH = GroupSearchConfig(share=0.0)


SEARCH = GroupSearchConfig(share=0.25, per_group=2, every=2, branch=4)


SAYS = {
    START: "GPT* as it is",
    "outcome": "the ORM alone",
    "process": "the PRM alone, with its guards",
    "both_sum": "PRM and ORM, summed",
    "both_minimum": "PRM and ORM, of the PRM's steps only the worst",
    "both_kl": "PRM and ORM, summed, held near GPT* by KL",
    "both_search": "PRM and ORM, summed; a quarter of every second update's groups hold searched solutions",
    "process_bare": "the PRM alone, its three guards off",
    "process_prefix": "the PRM alone, the only guard: a step counts as far as those before it are right",
    "process_neutral": "the PRM alone, the only guard: a neutral step costs",
    "process_repeats": "the PRM alone, the only guard: repeated steps count as wrong",
    "grader": "the true answer, which nobody has: an upper bound",
}


def artifacts(profile: Profile) -> list[Artifact]:
    """Equal seeds of different arms draw the same problems in the same order."""
    config, seeds = profile.ablations.rl, range(profile.ablations.seeds)
    sources = {
        "policy": "generator/model",
        "generator": "generator/model",
        "prm": f"r{config.round:02d}/prm",
        "orm": f"r{config.round:02d}/orm",
        "train": "problems/train",
    }

    def one(arm: str, seed: int, compute: Any, made: Any, inputs: dict[str, str]) -> Artifact:
        says = f"RL rewarded by: {SAYS[arm]}. Training {seed + 1} of {profile.ablations.seeds}."
        key, seed_of = f"{GROUP}/{arm}_{seed}", f"{GROUP}/{seed}"
        estimate = estimate_untrained if arm == START else estimate_arm
        return ablation(
            profile, key, compute, made, inputs, says, seed_of=seed_of, trains=True, estimate=estimate
        )

    start = {"policy": "generator/model"}
    trained = [
        *(one(START, seed, untrained, UntrainedConfig(), start) for seed in seeds),
        *(
            one(arm, seed, rl_arm, arm_config(arm, profile.policy, config), sources)
            for arm in config.chosen
            for seed in seeds
        ),
    ]
    arms = (START, *config.chosen)
    result = ablation(
        profile,
        f"{GROUP}/result",
        make_rl_result,
        RLResultConfig(
            arms=tuple(ArmWords(name=arm, says=SAYS[arm]) for arm in arms),
            seeds=profile.ablations.seeds,
            windows=config.windows,
            judge=profile.ablations.judge,
        ),
        {
            **{role: sources[role] for role in ("generator", "prm", "orm")},
            "test": "problems/test",
            **{a.key.rpartition("/")[2]: a.key for a in trained},
        },
        "What the policy should be rewarded for, and what keeps the reward from being hacked.",
        estimate=estimate_judged,
    )
    return [*trained, result]


def arm_config(arm: str, policy: PolicyConfig, config: RLConfig) -> RLArmConfig:
    """The profile's policy with this form of reward, and without the search that the profile may have."""
    forms = {"both_kl": "both_sum", "both_search": "both_sum", "grader": "outcome"}
    form = "process" if arm.startswith("process") else forms.get(arm, arm)
    outcome = "grader" if arm == "grader" else "orm"
    guards = {
        "process_bare": BARE,
        **{f"process_{name}": BARE.model_copy(update={name: True}) for name in Guards.model_fields},
    }
    return RLArmConfig(
        policy=policy.model_copy(
            update={
                "reward": policy.reward.model_copy(update={"form": form, "outcome": outcome}),
                "search": SEARCH if arm == "both_search" else NO_SEARCH,
                "chunks": chunks_of(policy, config),
                "kl_coefficient": config.kl_coefficient if arm == "both_kl" else 0.0,
                "updates": config.updates,
                "problems_per_update": config.problems_per_update,
                "group_size": config.group_size,
                "learning_rate": config.learning_rate or policy.learning_rate,
            }
        ),
        guards=guards.get(arm, Guards()),
    )


def chunks_of(policy: PolicyConfig, config: RLConfig) -> int:
    """Pieces of about the profile's size, at least two for two cores: more would cost more than they save."""
    share = config.problems_per_update * config.group_size / (policy.problems_per_update * policy.group_size)
    return max(2, ceil(policy.chunks * share))


def estimate_untrained(context: EstimateContext, config: UntrainedConfig) -> Estimate:
    model = context.model("policy")
    return Estimate(stored=model.stored, model=model)


def estimate_arm(context: EstimateContext, config: RLArmConfig) -> Estimate:
    """As a policy that both reward models read, whatever it is rewarded for: the other one watches."""
    return estimate_grpo(context, config.policy, "prm", "orm")
