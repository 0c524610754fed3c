"""o1-mini's chains, its choice, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Task
from o1_assets.core.settings import Settings
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, powers_of_two
from o1_assets.evaluation.evaluate_policy import PASS_AT_1, PRM
from o1_assets.experiments.mini import evaluate
from o1_assets.experiments.mini.chains import acceptable
from o1_assets.experiments.mini.choose import make_model
from o1_assets.experiments.mini.config import ChoiceConfig, MiniEvalConfig, TeachersChainsConfig
from o1_assets.experiments.mini.evaluate import BATCHES, timed_figures
from o1_assets.experiments.mini.measured import ARMS, MODELS, Measured
from o1_assets.experiments.mini.result import mini_result
from o1_assets.experiments.result import write_result
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile
from tests.base.test_loads_with_vllm import CPU_HEAD_SIZES

CONFIG = MiniEvalConfig(problems=40, samples=4, resamples=200)
ACCURACY = {"base": 0.2, "generator": 0.4, "policy": 0.8, "mini": 0.75}


def measured(name: str, parameters: int) -> Measured:
    problems = np.arange(40)

    def right(share: float) -> np.ndarray:
        return (problems < round(40 * share)).astype(float)

    share = ACCURACY[name]

    grown = {n: right(min(1, share + 0.05 * np.log2(n))) for n in powers_of_two(4)}
    measures = {PASS_AT_1: right(share)} | {
        f"{selector}@{n}": value for selector in (MAJORITY, PRM, PASS) for n, value in grown.items()
    }
    evaluation: Any = SimpleNamespace(
        problem_ids=problems,
        cost=Cost(flops=1e9),
        pools={0: SimpleNamespace(samples=4)},
        measures=lambda draw: measures,
    )
    return Measured(evaluation, parameters, 25.0, parameters * 4 / 1e6)


@pytest.fixture(scope="module")
def models() -> dict[str, Measured]:
    return {name: measured(name, 100_000 if name == "mini" else 400_000) for name in MODELS}


def arms(**other: float) -> dict[str, np.ndarray]:
    shares = {"on_policy": 0.75, "chains": 0.7, "generator_chains": 0.4, "rl": 0.5, "student": 0.2, **other}
    return {name: (np.arange(40) < round(40 * shares[name])).astype(float) for name in ARMS}


def test_the_claims_follow_from_what_was_measured(models: dict[str, Measured], tmp_path: Path) -> None:
    out = {name: np.full(10, share / 2) for name, share in ACCURACY.items()}
    result = mini_result(models, arms(), out, CONFIG, seed=1, spent=dict.fromkeys(ARMS, 1e9))
    claims = {claim.name: claim for claim in result.claims}
    share = claims["mini_accuracy_share"]
    assert share.value == pytest.approx(0.75 / 0.8) and share.target == 0.9
    assert share.low is not None and share.high is not None and share.low < share.value < share.high
    assert claims["mini_flops_share"].value == pytest.approx(0.25)
    # Four chains of a quarter of the FLOPs: the vote of 4 against one chain of baby-o1.
    assert claims["mini_vote_minus_baby_o1"].value == pytest.approx(0.05)
    assert claims["mini_any_minus_baby_o1"].value == pytest.approx(0.85 - 0.9)
    assert claims["mini_gap_closed"].value == pytest.approx(0.35 / 0.4)
    assert claims["mini.on_policy_minus_chains"].value == pytest.approx(0.05)
    assert claims["mini_ood_share"].value == pytest.approx(0.75 / 0.8)
    write_result(tmp_path, result)
    assert json.loads((tmp_path / "result.json").read_text())["tables"].keys() == {"models", "arms"}


def test_without_a_gap_nothing_is_said_of_closing_it(models: dict[str, Measured]) -> None:
    out = {name: np.ones(10) for name in MODELS}
    result = mini_result(
        models, arms(generator_chains=0.8), out, CONFIG, seed=1, spent=dict.fromkeys(ARMS, 1e9)
    )
    (gap,) = (claim for claim in result.claims if claim.name == "mini_gap_closed")
    assert gap.value is None


def test_at_equal_time_it_votes_as_often_as_fits(models: dict[str, Measured]) -> None:
    seconds = {(name, batch): 1.0 for name in MODELS for batch in BATCHES} | {
        ("mini", 1): 0.6,
        ("mini", 64): 0.3,
    }
    figures = timed_figures(seconds, models)
    assert figures["mini_seconds_share_64"] == pytest.approx(0.3)
    assert (figures["mini_seconds_votes_1"], figures["mini_seconds_votes_64"]) == (1, 2)
    assert float(figures["mini_seconds_vote_accuracy_64"] or 0) > float(
        figures["mini_seconds_vote_accuracy_1"] or 1
    )


def test_both_reward_models_have_to_accept_a_finished_solution() -> None:
    table = pl.DataFrame(
        {PRM: [0.9, 0.9, 0.4, 0.9], "orm": [0.9, 0.4, 0.9, 0.9], "finished": [True, True, True, False]}
    )
    accepted = acceptable(table, TeachersChainsConfig(least_score=0.5))["accepted"]
    assert accepted.to_list() == [True, False, False, False]


def test_the_arm_that_solves_most_train_problems_becomes_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arm in ("rl", "on_policy", "train"):
        (tmp_path / arm).mkdir()
        (tmp_path / arm / "model.safetensors").write_text(arm)
    rows = {"problem_id": [f"{i:016x}" for i in range(60)], "question": ["?"] * 60}
    pl.DataFrame(rows).write_parquet(tmp_path / "train" / "problems.parquet")
    (tmp_path / "out").mkdir()

    def sample(engine: Any, problems: pl.DataFrame, *_: Any) -> tuple[pl.DataFrame, Cost]:
        right = engine.arm == "on_policy"
        return problems.with_columns(correct=pl.lit(right)), Cost(tokens_generated=1)

    class Opened:
        def __init__(self, folder: Path) -> None:
            self.arm = folder.name

        def close(self) -> None: ...

    monkeypatch.setattr("o1_assets.experiments.mini.choose.sample", sample)
    inputs = {name: tmp_path / name for name in ("rl", "on_policy", "train")}
    opened: Any = Opened
    outcome = make_model(Task(inputs, tmp_path / "out", 0, opened), ChoiceConfig())
    assert outcome.figures["chosen"] == "on_policy" and outcome.cost.tokens_generated == 2
    assert (tmp_path / "out" / "model.safetensors").read_text() == "on_policy"


def test_a_quarter_of_the_parameters_in_heads_that_vllm_has() -> None:
    profile = load_profile("nano", "")
    graph = build_graph(profile, Settings.load("nano", Path("/nowhere")))
    base: Any = graph["mini/base"].config

    def parameters(c: Any) -> int:
        layer = 4 * c.hidden_size**2 + 3 * c.hidden_size * c.intermediate_size + 2 * c.hidden_size
        return int(c.layers * layer + c.hidden_size)

    assert 0.2 < parameters(base) / parameters(profile.base) <= 0.25
    assert base.hidden_size // base.heads in CPU_HEAD_SIZES
    # What the student is pre-trained on differs in nothing but its length.
    assert base.corpus.model_copy(update={"solutions": 1}) == profile.base.corpus.model_copy(
        update={"solutions": 1}
    )  # type: ignore[union-attr]
    rl: Any = graph["mini/arms/rl"].config
    assert rl.reward == profile.policy.reward and not rl.kl_coefficient and not rl.replay.weight


def test_seconds_stand_in_no_file(
    models: dict[str, Measured], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal inputs give equal bytes: what a clock said is a figure of the manifest."""
    (tmp_path / "in").mkdir()
    rows = {"problem_id": [f"{i:016x}" for i in range(40)], "question": ["?"] * 40}
    pl.DataFrame(rows).write_parquet(tmp_path / "in" / "problems.parquet")
    monkeypatch.setattr(evaluate, "_measure", lambda task, name, test, config: models[name])
    monkeypatch.setattr(
        evaluate,
        "_right",
        lambda task, names, *_: (arms() if names is ARMS else {n: np.ones(9) for n in MODELS}, Cost()),
    )
    contents = []
    for clock in (1.0, 2.0):
        monkeypatch.setattr(
            evaluate, "time_models", lambda *_, c=clock: {(n, b): c for n in MODELS for b in BATCHES}
        )
        out = tmp_path / str(clock)
        out.mkdir()
        outcome = evaluate.make_mini_eval(
            Task(dict.fromkeys(("test", "ood"), tmp_path / "in"), out, 0, lambda folder: None), CONFIG
        )  # type: ignore[arg-type, return-value]
        assert outcome.figures["seconds_mini_1"] == clock
        contents.append({file.name: file.read_bytes() for file in out.rglob("*") if file.is_file()})
    assert contents[0] == contents[1] and "answers.parquet" in contents[0]
