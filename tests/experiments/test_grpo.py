"""The experiment's design: arms that differ in one setting and sample as many solutions."""

from __future__ import annotations

from typing import Any

import pytest

from o1_assets.experiments.grpo.assets import arm_policies, artifacts
from o1_assets.experiments.grpo.config import SAYS
from o1_assets.profiles.load import ProfileError, load_profile
from tests.plan.test_plan import plan

EVERY = "ablations.grpo.arms=[" + ",".join(f'"{name}"' for name in SAYS) + "]"


def fields(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every number of a configuration by its whole name."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= fields(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def test_every_arm_samples_as_many_batches_and_differs_in_one_setting() -> None:
    profile = load_profile("nano", f"ablations.grpo.batches=6\n{EVERY}")
    arms = arm_policies(profile.policy, profile.ablations.grpo)
    # nano replaces groups without contrast already, and pulls towards GPT*.
    assert set(arms) == set(SAYS) - {"resampling"}
    control = fields(arms["as_today"].model_dump())
    assert control["kl_coefficient"] and control["updates"] == 6 and not control["replay.weight"]
    for name, arm in arms.items():
        assert arm.batches == 6
        changed = {k: v for k, v in fields(arm.model_dump()).items() if v != control[k]}
        changed.pop("updates", None)
        several = {"dr_grpo": 2, "clip_higher": 2, "as_today": 0}
        assert len(changed) == several.get(name, 1), changed
    assert arms["epochs"].updates == arms["minibatches"].updates == 12
    other = load_profile("nano", f"{EVERY}\npolicy.kl_coefficient=0\npolicy.resampling.reserve=0")
    assert {"no_kl", "no_resampling"}.isdisjoint(arm_policies(other.policy, other.ablations.grpo))


def test_arms_see_equal_problems_and_only_the_curriculum_reads_solutions() -> None:
    made = {
        a.key.rpartition("/")[2]: a
        for a in artifacts(load_profile("nano", f"{EVERY}\nablations.grpo.round=1"))
    }
    trainings = {key: a for key, a in made.items() if "_eval_" not in key and key != "result"}
    assert len(trainings) == 3 * (len(SAYS) - 1)
    assert {a.seed for a in trainings.values()} == {made[f"as_today_{seed}"].seed for seed in range(3)}
    reading = {key for key, a in trainings.items() if "solutions_01" in a.inputs}
    assert reading == {f"curriculum_{seed}" for seed in range(3)}
    assert all(a.inputs["policy"] == "r00/policy" for a in trainings.values())


def test_an_arm_that_there_is_not_is_refused() -> None:
    with pytest.raises(ProfileError, match="there is no arm 'ppo'"):
        load_profile("nano", 'ablations.grpo.arms=["ppo"]')


def test_the_plan_counts_each_pass_and_that_a_batch_is_read_again() -> None:
    made = plan(EVERY, parts=("ablations/grpo",)).made
    today, epochs, halves = (
        made[f"ablations/grpo/{name}_0"].cost for name in ("as_today", "epochs", "minibatches")
    )
    assert today.tokens_generated == epochs.tokens_generated == halves.tokens_generated
    assert today.tokens_trained == halves.tokens_trained
    assert epochs.tokens_trained == pytest.approx(2 * today.tokens_trained, abs=1)
    assert epochs.tokens_scored == halves.tokens_scored > today.tokens_scored
