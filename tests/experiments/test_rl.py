"""Forms of reward: guards that can be switched off, and curves that know what is true while the training does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.experiments.rewards.assets import arm_config
from o1_assets.experiments.rewards.config import (
    BARE,
    EVERY_ARM,
    Guards,
    RLArmConfig,
    RLConfig,
    UntrainedConfig,
)
from o1_assets.experiments.rewards.measure import Watched, rl_arm, untrained
from o1_assets.experiments.rewards.result import (
    by_update,
    comparisons,
    curve_charts,
    curve_table,
    hacking,
    windows,
    with_gap,
)
from o1_assets.experiments.variants import read_cost
from o1_assets.policy.config import GroupSearchConfig, PolicyConfig, RewardConfig
from o1_assets.policy.rewards import as_ratings, process_rewards, step_values, without
from o1_assets.profiles.load import load_profile
from tests.engine.training.interrupted import killed_then_resumed
from tests.policy.test_make_policy import digests
from tests.policy.world import QUESTIONS, RIGHT, WRONG, ExactRewards, tiny_policy

RATINGS = np.random.default_rng(0).dirichlet([1, 1, 3], size=6)


STEPS = [f"{i}+1={i + 1}" for i in range(6)]


POLICY = PolicyConfig(
    updates=4,
    problems_per_update=2,
    group_size=4,
    prompt=PromptFormat(max_tokens=24),
    chunks=2,
    search=GroupSearchConfig(share=0),
)


def test_ratings_tell_the_training_exactly_the_reward_that_is_meant() -> None:
    reward = RewardConfig(neutral_cost=0.3)
    same = process_rewards(as_ratings(step_values(RATINGS, Guards(), 0.3)), STEPS, reward)
    assert same == pytest.approx(process_rewards(RATINGS, STEPS, reward))
    for guards in (BARE, *(BARE.model_copy(update={name: True}) for name in Guards.model_fields)):
        values = step_values(RATINGS, guards, 0.3)
        assert process_rewards(as_ratings(values), STEPS, reward) == pytest.approx(values)


def test_each_guard_takes_away_one_way_to_be_paid_for_nothing() -> None:
    right, wrong, neutral = [0.0, 0, 1], [1.0, 0, 0], [0.0, 1, 0]
    check = np.array([right, neutral])
    late = np.array([wrong, right])
    assert step_values(check, BARE, 0.3).tolist() == [1, 1]
    assert step_values(check, BARE.model_copy(update={"neutral": True}), 0.3).tolist() == [1, -0.3]
    assert step_values(late, BARE, 0.3).tolist() == [-1, 1]
    assert step_values(late, BARE.model_copy(update={"prefix": True}), 0.3) == pytest.approx([-1, 0])
    again, own = ["1+1=2"] * 4, as_ratings(np.ones(4))
    paid = {
        on: process_rewards(own, again, without(RewardConfig(), Guards(repeats=on))).tolist()
        for on in (True, False)
    }
    assert paid == {True: [1, 1, -1, -1], False: [1, 1, 1, 1]}


def test_arms_differ_in_what_their_names_say() -> None:
    profile = load_profile("nano", "")
    arms = {arm: arm_config(arm, profile.policy, profile.ablations.rl) for arm in EVERY_ARM}
    plain = arms["both_sum"].policy
    assert {arm for arm, one in arms.items() if one.policy.search != plain.search} == {"both_search"}
    assert {arm for arm, one in arms.items() if one.policy.kl_coefficient} == {"both_kl"}
    assert {arm for arm, one in arms.items() if one.policy.reward.outcome == "grader"} == {"grader"}
    assert {arm for arm, one in arms.items() if one.guards.all_on} == set(EVERY_ARM) - {
        "process_bare", "process_prefix", "process_neutral", "process_repeats"
    }  # fmt: skip
    assert arms["process_bare"].guards == BARE and arms["process_repeats"].guards.repeats
    forms = {arm: one.policy.reward.form for arm, one in arms.items()}
    assert forms["process_prefix"] == "process" and forms["both_kl"] == forms["both_search"] == "both_sum"
    assert (forms["grader"], forms["both_minimum"]) == ("outcome", "both_minimum")
    assert {one.policy.updates for one in arms.values()} == {
        profile.ablations.rl.updates
    } and plain.updates >= 300
    with pytest.raises(ValueError, match=r"ablations\.rl\.arms: there is no arm 'bothsum'"):
        _ = RLConfig(arms=("bothsum",)).chosen


def test_what_is_watched_is_of_the_sampled_solutions_alone() -> None:
    _, tokenizer = tiny_policy()
    config = POLICY.model_copy(update={"search": GroupSearchConfig(share=1.0, per_group=1, every=1)})
    watched = Watched(
        ExactRewards(tokenizer), tokenizer, config, Guards(), lambda p, text: "answer 2" in text
    )
    texts = [RIGHT[0], WRONG[0], "check 1+1=2\n" * 3, RIGHT[0]]
    ids = [[*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id] for text in texts]
    ids[0] = ids[0][:-1]  # cut off: no final answer
    prompts = [[1, 2]] * 4 + [[1, 3]] * 4
    watched.with_kv_cache().step_probabilities([[1, 3]], [ids[0]])
    steps, outcomes = watched.score_both(prompts, [*ids, *ids])
    (point,) = watched.points
    # Four of the first problem, of which the last is right; three of the second, none of them whole and right.
    assert point["true"] == pytest.approx(1 / 7) and point["finished"] == pytest.approx(5 / 7)
    assert point["orm"] == pytest.approx(3 / 7) and point["prm"] == pytest.approx(3 / 7)
    assert point["check"] == pytest.approx(6 / 16) and point["repeated"] == pytest.approx(4 / 16)
    assert len(steps) == len(outcomes) == 8
    watched.score_both(prompts, [*ids, *ids])
    assert watched.points[1]["true"] == pytest.approx(2 / 8) and watched.points[1]["update"] == 1


def arm(inputs: dict[str, Path], out: Path, config: RLArmConfig) -> Any:
    out.mkdir()
    return rl_arm(Task(inputs, out, 5, lambda path: pytest.fail(str(path))), config)


def test_a_killed_arm_goes_on_to_the_same_bytes_with_everything_it_had_watched(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RLArmConfig(policy=POLICY, guards=BARE)
    whole = arm(inputs, tmp_path / "whole", config)
    again, folder, lines = killed_then_resumed(rl_arm, config, inputs, tmp_path / "k", monkeypatch, saves=2)
    assert "continues at update 2 of 4" in lines
    assert digests(folder) == digests(tmp_path / "whole") and again == whole
    assert pl.read_parquet(folder / "watched.parquet")["update"].to_list() == [0, 1, 2, 3]
    assert read_cost(folder)["tokens_generated"] == whole.cost.tokens_generated > 0


def test_true_answers_change_the_curve_and_never_the_policy_unless_they_are_the_reward(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    rows = [{"question": q, "answer": "1", "grader": "math", "metadata": "{}"} for q in QUESTIONS]
    (tmp_path / "train").mkdir()
    pl.DataFrame(rows).write_parquet(tmp_path / "train" / "problems.parquet")
    others = {**inputs, "train": tmp_path / "train"}
    learnt = POLICY.model_copy(update={"updates": 2, "warmup_updates": 0})
    for name, outcome, same in (("orm", "orm", True), ("grader", "grader", False)):
        reward = RewardConfig.model_validate({"form": "outcome", "outcome": outcome})
        config = RLArmConfig(policy=learnt.model_copy(update={"reward": reward}))
        folders = tmp_path / f"{name}_a", tmp_path / f"{name}_b"
        for folder, given in zip(folders, (inputs, others), strict=True):
            arm(given, folder, config)
        weights = [(folder / "model.safetensors").read_bytes() for folder in folders]
        assert (weights[0] == weights[1]) is same, name
        right = [pl.read_parquet(folder / "watched.parquet")["true"].to_list() for folder in folders]
        assert right[0] != right[1]


def test_the_start_is_gpt_star_at_no_cost(inputs: dict[str, Path], tmp_path: Path) -> None:
    untrained(Task(inputs, tmp_path, 0, lambda path: pytest.fail(str(path))), UntrainedConfig())
    assert (tmp_path / "model.safetensors").read_bytes() == (
        inputs["policy"] / "model.safetensors"
    ).read_bytes()
    assert read_cost(tmp_path)["flops"] == 0


def trainings(drift: dict[str, float], seeds: int = 3, updates: int = 40) -> pl.DataFrame:
    """Of each arm the truth stays; the PRM's belief and the reward grow by `drift`."""
    rng = np.random.default_rng(1)
    columns = ("orm", "step", "neutral", "tokens", "steps", "finished", "check", "wait", "repeated")
    rows = [
        {"arm": name, "seed": seed, "update": float(u), "true": 0.5 + rng.normal(0, 0.05)}
        | {"prm": 0.5 + grows * u / updates + rng.normal(0, 0.05)}
        | {"reward": 2.0 + grows * u / updates + rng.normal(0, 0.05)} | dict.fromkeys(columns, 0.1)
        for name, grows in drift.items() for seed in range(seeds) for u in range(updates)
    ]  # fmt: skip
    return with_gap(pl.DataFrame(rows))


def test_hacking_and_the_guard_that_stops_it_are_read_off_the_curves() -> None:
    watched = trainings({"process_bare": 0.4, "process_prefix": 0.0, "process_repeats": 0.4})
    rng = np.random.default_rng(2)
    values = {
        name: rng.random((3, 40)) for name in ("start", "process_bare", "process_prefix", "process_repeats")
    }
    claims, sentences = hacking(watched, values, 300, 0)
    found = {claim.name: claim for claim in claims}
    grown = found["rl.process_bare_gap_growth"]
    assert grown.value == pytest.approx(0.3, abs=0.04) and grown.low is not None and grown.low > 0.2
    assert "was hacked: " in sentences[0]
    assert "process_prefix narrows the gap" in sentences[1]
    assert "process_repeats does not change beyond noise the gap" in sentences[2]
    _, sentences = hacking(trainings({"process_bare": 0.0}), values, 300, 0)
    assert "was neither clearly hacked nor clearly not: " in sentences[0] and len(sentences) == 1
    truthful = watched.with_columns(gap=pl.lit(0.0))
    assert "was neither clearly hacked nor clearly not: " in hacking(truthful, values, 300, 0)[1][0]
    learnt = watched.with_columns(true=pl.col("true") + 0.4 * pl.col("update") / 40)
    assert "was not hacked: " in hacking(learnt, values, 300, 0)[1][0]


def test_a_better_arm_is_said_to_be_better_and_an_equal_one_not() -> None:
    hard = np.random.default_rng(3).random(60)
    values = {
        "outcome": np.stack([hard] * 3),
        "process": np.stack([hard] * 3),
        "both_sum": np.stack([hard + 0.2] * 3),
    }
    claims, sentences = comparisons(values, 300, 0)
    assert [claim.name for claim in claims] == [
        "rl.process_minus_outcome", "rl.both_sum_minus_outcome", "rl.both_sum_minus_process"
    ]  # fmt: skip
    assert "no difference beyond noise" in sentences[0] and ": better, +20.0 points" in sentences[1]


def test_curves_are_means_over_seeds_and_parts_of_the_training() -> None:
    watched = trainings({"process_bare": 0.4, "process": 0.0})
    values = by_update(watched, "process_bare", "gap")
    assert values.shape == (3, 40)
    x, y = windows(values, 4)
    assert x == [10, 20, 30, 40] and y == pytest.approx(
        [values[:, i : i + 10].mean() for i in (0, 10, 20, 30)]
    )
    charts = curve_charts(watched, ("process", "process_bare"), 4)
    assert set(charts) == {"truth", "length", "checks", "repeats", "belief_minus_truth", "belief_and_truth"}
    assert charts["belief_minus_truth"].series[1].y == pytest.approx(y)
    table = curve_table(watched, ("process", "process_bare")).frame
    assert table["arm"].to_list() == ["process", "process_bare"]
    assert table["PRM's belief - right"][1] == pytest.approx(y[-1])
