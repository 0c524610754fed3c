"""ablations/rl: what should the policy be rewarded for, and what keeps the reward from being hacked?

Every arm is GRPO from GPT* with the reward models of one round. The arms differ in the form of the reward alone.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import Estimate, EstimateContext
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.experiment import Arm, Experiment, ablation, experiment_artifacts
from o1_assets.experiments.measure import Made, policy_arm
from o1_assets.experiments.rewards.config import RLConfig
from o1_assets.experiments.rewards.measure import make_watched_policy
from o1_assets.experiments.rewards.result import START, RLResultConfig, make_rl_result
from o1_assets.experiments.variants import PART
from o1_assets.policy.config import GroupSearchConfig, PolicyConfig
from o1_assets.policy.estimate import estimate_grpo

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/rl"

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

# Fields of RewardConfig that switch off one guard each. No solution has as many equal steps as that limit.
GUARDS_OFF: dict[str, Any] = {"prefix_guard": False, "neutral_cost": -1.0, "repeat_limit": 1_000_000}

# Arm -> the one field that stays as the profile has it.
ONLY_GUARD = {
    "process_bare": "",
    "process_prefix": "prefix_guard",
    "process_neutral": "neutral_cost",
    "process_repeats": "repeat_limit",
}


def artifacts(profile: Profile) -> list[Artifact]:
    """Equal seeds of different arms draw the same problems in the same order."""
    config = profile.ablations.rl
    models = {
        "policy": "generator/model",
        "generator": "generator/model",
        "prm": f"r{config.round:02d}/prm",
        "orm": f"r{config.round:02d}/orm",
        "train": "problems/train",
    }
    seeds = profile.ablations.seeds

    def arm(name: str) -> Arm:
        def make(seed: int) -> Made:
            policy = ablation(
                profile,
                f"{GROUP}/{name}_{seed}",
                make_watched_policy,
                arm_policy(name, profile.policy, config),
                models,
                f"RL rewarded by: {SAYS[name]}. Training {seed + 1} of {seeds}.",
                seed_of=f"{GROUP}/{seed}",
                trains=True,
                estimate=estimate_watched,
            )
            return [policy], policy.key

        return policy_arm(profile, GROUP, name, SAYS[name], models, make, reads_policy=True)

    def untrained(seed: int) -> Made:
        return [], "generator/model"

    arms = (
        # GPT* is evaluated once for each seed, as its samples differ by seed like those of what it became.
        policy_arm(profile, GROUP, START, SAYS[START], models, untrained),
        *(arm(name) for name in config.chosen),
    )
    experiment = Experiment(
        name="rl",
        question="What the policy should be rewarded for, and what keeps the reward from being hacked.",
        arms=arms,
        compute=make_rl_result,
        config=RLResultConfig(
            arms=tuple(ArmWords(name=shown.name, says=shown.says) for shown in arms),
            seeds=seeds,
            windows=config.windows,
            judge=profile.ablations.judge,
        ),
        inputs={},
    )
    return experiment_artifacts(experiment, profile)


def arm_policy(arm: str, policy: PolicyConfig, config: RLConfig) -> PolicyConfig:
    """The profile's policy with this form of reward, and without the search that the profile may have."""
    forms = {"both_kl": "both_sum", "both_search": "both_sum", "grader": "outcome"}
    reward: dict[str, Any] = {
        "form": "process" if arm.startswith("process") else forms.get(arm, arm),
        "outcome": "grader" if arm == "grader" else "orm",
    }
    if arm in ONLY_GUARD:
        reward |= {field: off for field, off in GUARDS_OFF.items() if field != ONLY_GUARD[arm]}
    return policy.model_copy(
        update={
            "reward": policy.reward.model_copy(update=reward),
            # A profile may search in its groups; here only one arm does, so that the others differ in the reward alone.
            "search": SEARCH if arm == "both_search" else NO_SEARCH,
            "chunks": chunks_of(policy, config),
            "kl_coefficient": config.kl_coefficient if arm == "both_kl" else 0.0,
            "updates": config.updates,
            "problems_per_update": config.problems_per_update,
            "group_size": config.group_size,
            "learning_rate": config.learning_rate or policy.learning_rate,
        }
    )


def chunks_of(policy: PolicyConfig, config: RLConfig) -> int:
    """Pieces of about the profile's size, at least two for two cores: more would cost more than they save."""
    share = config.problems_per_update * config.group_size / (policy.problems_per_update * policy.group_size)
    return max(2, ceil(policy.chunks * share))


def estimate_watched(context: EstimateContext, config: PolicyConfig) -> Estimate:
    """As a policy that both reward models read, whatever it is rewarded for: the other one watches."""
    return estimate_grpo(context, config, "prm", "orm")
