"""Forms of reward: guards that can be switched off, and curves that know what is true while the training does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.experiments.rewards.assets import (
    GUARDS_OFF,
    RewardMonitor,
    arm_policy,
    artifacts,
    make_watched_policy,
)
from o1_assets.experiments.rewards.config import EVERY_ARM, RLConfig
from o1_assets.experiments.rewards.result import (
    by_update,
    comparisons,
    curve_charts,
    curve_table,
    hacking,
    windows,
    with_gap,
)
from o1_assets.policy.config import GroupSearchConfig, PolicyConfig, RewardConfig
from o1_assets.policy.rewards import process_rewards, step_values
from o1_assets.profiles.load import load_profile
from tests.engine.training.interrupted import killed_then_resumed
from tests.policy.test_make_policy import digests, inputs
from tests.policy.world import QUESTIONS, RIGHT, WRONG, ExactRewards, tiny_policy

__all__ = ["inputs"]

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


BARE = RewardConfig(**GUARDS_OFF)


def guard(**only: Any) -> RewardConfig:
    """All guards off but this one."""
    return BARE.model_copy(update=only)


def test_without_guards_a_step_is_paid_its_own_rating_alone() -> None:
    values = RATINGS[:, 2] - RATINGS[:, 0] + RATINGS[:, 1]
    assert process_rewards(RATINGS, STEPS, BARE) == pytest.approx(values)


def test_each_guard_takes_away_one_way_to_be_paid_for_nothing() -> None:
    right, wrong, neutral = [0.0, 0, 1], [1.0, 0, 0], [0.0, 1, 0]
    check = np.array([right, neutral])
    late = np.array([wrong, right])
    assert step_values(check, BARE).tolist() == [1, 1]
    assert step_values(check, guard(neutral_cost=0.3)).tolist() == [1, -0.3]
    assert step_values(late, BARE).tolist() == [-1, 1]
    assert step_values(late, guard(prefix_guard=True)) == pytest.approx([-1, 0])
    again = np.array([right] * 4), ["1+1=2"] * 4
    assert process_rewards(*again, BARE).tolist() == [1, 1, 1, 1]
    assert process_rewards(*again, guard(repeat_limit=2)).tolist() == [1, 1, -1, -1]


def test_arms_differ_in_what_their_names_say() -> None:
    profile = load_profile("nano", "")
    arms = {arm: arm_policy(arm, profile.policy, profile.ablations.rl) for arm in EVERY_ARM}
    plain = arms["both_sum"]
    assert {arm for arm, one in arms.items() if one.search != plain.search} == {"both_search"}
    assert {arm for arm, one in arms.items() if one.kl_coefficient} == {"both_kl"}
    assert {arm for arm, one in arms.items() if one.reward.outcome == "grader"} == {"grader"}
    own = plain.reward
    off = {
        arm: {name for name in GUARDS_OFF if getattr(one.reward, name) != getattr(own, name)}
        for arm, one in arms.items()
    }
    assert {arm: guards for arm, guards in off.items() if guards} == {
        "process_bare": {"prefix_guard", "neutral_cost", "repeat_limit"},
        "process_prefix": {"neutral_cost", "repeat_limit"},
        "process_neutral": {"prefix_guard", "repeat_limit"},
        "process_repeats": {"prefix_guard", "neutral_cost"},
    }
    forms = {arm: one.reward.form for arm, one in arms.items()}
    assert forms["process_prefix"] == "process" and forms["both_kl"] == forms["both_search"] == "both_sum"
    assert (forms["grader"], forms["both_minimum"]) == ("outcome", "both_minimum")
    assert {one.updates for one in arms.values()} == {profile.ablations.rl.updates} and plain.updates >= 300
    with pytest.raises(ValueError, match=r"ablations\.rl\.arms: there is no arm 'bothsum'"):
        _ = RLConfig(arms=("bothsum",)).chosen


def test_what_is_watched_is_of_the_sampled_solutions_alone() -> None:
    _, tokenizer = tiny_policy()
    config = POLICY.model_copy(update={"search": GroupSearchConfig(share=1.0, per_group=1, every=1)})
    monitor = RewardMonitor(ExactRewards(tokenizer), tokenizer, config, lambda p, text: "answer 2" in text)
    texts = [RIGHT[0], WRONG[0], "check 1+1=2\n" * 3, RIGHT[0]]
    ids = [[*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id] for text in texts]
    ids[0] = ids[0][:-1]  # cut off: no final answer
    prompts = [[1, 2]] * 4 + [[1, 3]] * 4
    monitor.with_kv_cache().step_probabilities([[1, 3]], [ids[0]])
    steps, outcomes = monitor.score_both(prompts, [*ids, *ids])
    (point,) = monitor.points
    # Four of the first problem, of which the last is right; three of the second, none of them whole and right.
    assert point["true"] == pytest.approx(1 / 7) and point["finished"] == pytest.approx(5 / 7)
    assert point["orm"] == pytest.approx(3 / 7) and point["prm"] == pytest.approx(3 / 7)
    assert point["check"] == pytest.approx(6 / 16) and point["repeated"] == pytest.approx(4 / 16)
    assert len(steps) == len(outcomes) == 8
    monitor.score_both(prompts, [*ids, *ids])
    assert monitor.points[1]["true"] == pytest.approx(2 / 8) and monitor.points[1]["update"] == 1


def arm(inputs: dict[str, Path], out: Path, config: PolicyConfig) -> Any:
    out.mkdir()
    return make_watched_policy(Task(inputs, out, 5, lambda path: pytest.fail(str(path))), config)


def test_a_killed_arm_goes_on_to_the_same_bytes_with_everything_it_had_watched(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = POLICY.model_copy(update={"reward": BARE})
    whole = arm(inputs, tmp_path / "whole", config)
    again, folder, lines = killed_then_resumed(
        make_watched_policy, config, inputs, tmp_path / "k", monkeypatch, saves=2
    )
    assert "continues at update 2 of 4" in lines
    assert digests(folder) == digests(tmp_path / "whole") and again == whole
    assert pl.read_parquet(folder / "watched.parquet")["update"].to_list() == [0, 1, 2, 3]
    assert again.cost.tokens_generated == whole.cost.tokens_generated > 0


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
        config = learnt.model_copy(update={"reward": reward})
        folders = tmp_path / f"{name}_a", tmp_path / f"{name}_b"
        for folder, given in zip(folders, (inputs, others), strict=True):
            arm(given, folder, config)
        weights = [(folder / "model.safetensors").read_bytes() for folder in folders]
        assert (weights[0] == weights[1]) is same, name
        right = [pl.read_parquet(folder / "watched.parquet")["true"].to_list() for folder in folders]
        assert right[0] != right[1]


def test_the_start_is_gpt_star_itself_and_nothing_is_trained_for_it() -> None:
    made = {artifact.key.rpartition("/")[2]: artifact for artifact in artifacts(load_profile("nano", ""))}
    assert made["start_eval_0"].inputs["policy"] == "generator/model" and "start_0" not in made
    assert made["both_sum_eval_0"].inputs["policy"] == made["both_sum_0"].key
    assert made["result"].inputs["both_sum_0_policy"] == made["both_sum_0"].key


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
