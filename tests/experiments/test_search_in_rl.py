"""The experiment's design: arms that differ in one thing and cost the same."""

from __future__ import annotations

import pytest

from o1_assets.core.settings import Settings
from o1_assets.experiments.search_in_rl.assets import artifacts, searches_of, solutions_a_group
from o1_assets.experiments.search_in_rl.expert_iteration import ExpertConfig
from o1_assets.graph import asked_for, build_graph
from o1_assets.policy.config import PolicyConfig
from o1_assets.profiles.load import load_profile


def test_every_arm_makes_the_same_updates_at_the_cost_of_the_same_solutions() -> None:
    profile = load_profile("nano", "")
    wanted = profile.ablations.search_in_rl.problems_per_update * profile.policy.group_size
    made = {artifact.key.rpartition("/")[2]: artifact for artifact in artifacts(profile)}
    for name in ("none", "some_groups", "every_group", "expert_sampled", "expert"):
        config = made[f"{name}_0"].config
        assert isinstance(config, PolicyConfig | ExpertConfig)
        assert config.updates == profile.ablations.search_in_rl.updates
        if isinstance(config, PolicyConfig):
            cost = config.problems_per_update * solutions_a_group(config, config.search)
        else:
            cost = config.problems_per_update * config.searches * config.branch
        assert cost == pytest.approx(wanted, rel=0.03), name


def test_the_profiles_own_way_is_among_the_arms_and_named() -> None:
    for overrides, today in (
        ("policy.search.share=0.0", "none"),
        ("policy.search.share=0.25\npolicy.search.per_group=2\npolicy.search.every=2", "some_groups"),
        ("policy.search.share=0.25\npolicy.search.per_group=4", "as_today"),
    ):
        profile = load_profile("nano", overrides)
        assert searches_of(profile.policy.search)[1] == today
        assert f"ablations/search_in_rl/{today}_0" in {artifact.key for artifact in artifacts(profile)}


def test_a_training_depends_on_its_own_arm_alone_and_never_on_held_out_problems(tmp_path: object) -> None:
    settings = Settings.load("nano", str(tmp_path))
    graph = build_graph(load_profile("nano", ""), settings)
    other = build_graph(load_profile("nano", "ablations.search_in_rl.learning_rate=0.5"), settings)
    changed = {key for key in graph if graph[key].config != other[key].config}
    kinds = ("expert_sampled", "expert")
    assert changed == {f"ablations/search_in_rl/{kind}_{seed}" for kind in kinds for seed in range(3)}
    trainings = [
        a
        for k, a in graph.items()
        if k.startswith("ablations/search_in_rl/") and "_eval_" not in k and not k.endswith("/result")
    ]
    assert len(trainings) == 15 and all(
        set(a.inputs.values()).isdisjoint({"problems/test"}) for a in trainings
    )
    assert {a.seed for a in trainings} == {a.seed for a in trainings[:3]}, "equal seeds, equal problems"
    assert not any(key.startswith("ablations/") for key in asked_for(graph))
    assert {a.key for a in trainings} < asked_for(graph, ("ablations",))


def test_a_later_round_starts_from_the_policy_before_it() -> None:
    inputs = artifacts(load_profile("nano", "ablations.search_in_rl.round=5"))[0].inputs
    assert (inputs["policy"], inputs["prm"], inputs["orm"]) == ("r04/policy", "r05/prm", "r05/orm")
