"""ablations/grpo: which of the settings that people train with today are worth having?

Every arm differs from the profile's policy in one setting, and samples as many batches of solutions. Where a batch is
used for several updates there are more updates, at the cost of training alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.arms import compared_arms
from o1_assets.experiments.experiment import Arm, ablation
from o1_assets.experiments.grpo.config import CONTROL, SAYS, GrpoConfig
from o1_assets.experiments.measure import Made, policy_arm
from o1_assets.experiments.variants import PART
from o1_assets.policy.config import EarlyStopConfig, PolicyConfig, ReplayConfig
from o1_assets.policy.estimate import estimate_policy
from o1_assets.policy.train import make_policy

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/grpo"
TITLE = "GRPO's settings"
QUESTION = "Which settings of GRPO are worth having? Equal batches of solutions."


def artifacts(profile: Profile) -> list[Artifact]:
    """Equal seeds of different arms draw the same problems in the same order."""
    config, seeds = profile.ablations.grpo, profile.ablations.seeds
    k = config.round
    models = {
        "policy": f"r{k - 1:02d}/policy" if k else "generator/model",
        "generator": "generator/model",
        "prm": f"r{k:02d}/prm",
        "orm": f"r{k:02d}/orm",
        "train": "problems/train",
    }
    solutions = {f"solutions_{i:02d}": f"r{i:02d}/solutions" for i in range(k + 1)}

    def arm(name: str, policy: PolicyConfig) -> Arm:
        def make(seed: int) -> Made:
            made = ablation(
                profile,
                f"{GROUP}/{name}_{seed}",
                make_policy,
                policy,
                models | (solutions if policy.curriculum else {}),
                f"{TITLE}: {SAYS[name]}. Training {seed + 1} of {seeds}.",
                seed_of=f"{GROUP}/{seed}",
                trains=True,
                estimate=estimate_policy,
            )
            return [made], made.key

        return policy_arm(profile, GROUP, name, SAYS[name], models, make)

    arms = [arm(name, policy) for name, policy in arm_policies(profile.policy, config).items()]
    return compared_arms(profile, "grpo", TITLE, QUESTION, arms, CONTROL)


def arm_policies(policy: PolicyConfig, config: GrpoConfig) -> dict[str, PolicyConfig]:
    """Arm -> its policy; without those that the profile's policy already is."""
    # What only reads the loop's own solutions, or stops early, would hide what a setting does.
    alone: dict[str, Any] = {"replay": ReplayConfig(), "early_stop": EarlyStopConfig()}
    control = _changed(policy, alone, config.batches)
    half = {"epochs": 2, "clip_low": 0.2, "clip_high": 0.2}
    changes: dict[str, dict[str, Any]] = {
        CONTROL: {},
        "no_kl": {"kl_coefficient": 0.0},
        "no_resampling": {"resampling": {"reserve": 0.0}},
        "resampling": {"resampling": {"reserve": 1.0}},
        "curriculum": {"curriculum": 2.0},
        "sequence_loss": {"objective": {"loss": "sequence"}},
        "dr_grpo": {"objective": {"loss": "constant", "scale_rewards": "none"}},
        "epochs": {"objective": half},
        "clip_higher": {"objective": {**half, "clip_high": 0.28}},
        "minibatches": {"objective": {"minibatches": 2}},
        "entropy": {"objective": {"entropy": config.entropy}},
        "pass_k": {"pass_k": min(4, policy.group_size)},
        "overlong_filter": {"overlong": {"filter": True}},
        "overlong_soft": {"overlong": {"soft_tokens": max(1, policy.prompt.max_tokens // 4)}},
    }
    policies = {name: _changed(control, changes[name], config.batches) for name in config.chosen}
    return {name: arm for name, arm in policies.items() if name == CONTROL or arm != control}


def _changed(policy: PolicyConfig, changes: dict[str, Any], batches: int) -> PolicyConfig:
    """`policy` with fields, and fields of its tables, replaced, and as many updates as the batches are used for."""
    values = policy.model_dump()
    for name, value in changes.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) else value
    objective = values["objective"]
    values["updates"] = batches * objective["epochs"] * objective["minibatches"]
    return PolicyConfig.model_validate(values)
