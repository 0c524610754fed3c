"""The whole stage on a tiny policy and untrained reward models: what it writes, and what it must not touch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from transformers import AutoModelForCausalLM

from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.policy.config import (
    EarlyStopConfig,
    PolicyConfig,
    ReplayConfig,
    ResamplingConfig,
    RewardConfig,
)
from o1_assets.policy.train import _grader, make_policy
from o1_assets.reward.model import ORM_CLASSES, PRM_CLASSES, save_reward_model, start_reward_model
from tests.policy.world import QUESTIONS, tiny_policy

CONFIG = PolicyConfig(updates=2, problems_per_update=4, group_size=4, prompt=PromptFormat(max_tokens=24))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("inputs")
    model, tokenizer = tiny_policy()
    model.save_pretrained(home / "policy")
    tokenizer.save_pretrained(home / "policy")
    for name, classes in (("prm", PRM_CLASSES), ("orm", ORM_CLASSES)):
        save_reward_model(start_reward_model(home / "policy", classes, None), home / "policy", home / name)
    (home / "train").mkdir()
    rows = [
        {"problem_id": q, "question": q, "answer": "2", "grader": "math", "metadata": "{}"} for q in QUESTIONS
    ]
    pl.DataFrame(rows).write_parquet(home / "train" / "problems.parquet")
    (home / "solutions_00").mkdir()
    solutions = [
        {"problem_id": q, "steps": ["2+2=4", "answer 2"], "correct": i < 2, "finished": True}
        for i, q in enumerate(QUESTIONS)
    ]
    pl.DataFrame(solutions).write_parquet(home / "solutions_00" / "solutions.parquet")
    names = ("policy", "prm", "orm", "train", "solutions_00")
    return {name: home / name for name in names} | {"generator": home / "policy"}


def run(inputs: dict[str, Path], out: Path, config: PolicyConfig = CONFIG) -> Outcome:
    out.mkdir()
    return make_policy(Task(inputs, out, seed=7, open_engine=lambda path: pytest.fail(str(path))), config)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_a_policy_is_a_checkpoint_with_its_curve_and_plots_and_the_same_bytes_each_time(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    outcome = run(inputs, tmp_path / "a")
    run(inputs, tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    AutoModelForCausalLM.from_pretrained(tmp_path / "a", dtype="float32")
    assert pl.read_parquet(tmp_path / "a" / "curve.parquet")["update"].to_list() == [0, 1]
    plots = list((tmp_path / "a" / "plots").glob("*.png"))
    assert plots and all(plot.stat().st_size <= 50_000 for plot in plots)
    assert str(inputs["policy"]) not in (tmp_path / "a" / "config.json").read_text()
    assert outcome.cost.tokens_generated > 0 < outcome.cost.tokens_scored
    assert outcome.cost.flops > 6 * outcome.cost.tokens_trained


def test_the_grader_is_asked_only_where_the_profile_says_so(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    asked = []
    monkeypatch.setattr("o1_assets.problems.grading.grade", lambda *args: bool(asked.append(args)))
    run(inputs, tmp_path / "orm")
    assert not asked
    run(inputs, tmp_path / "grader", CONFIG.model_copy(update={"reward": RewardConfig(outcome="grader")}))
    assert asked


@pytest.mark.parametrize(("outcome", "cheat_passes"), [("self_check", True), ("grader", False)])
def test_the_self_check_rewards_a_list_of_the_shown_cases_and_the_grader_does_not(
    outcome: Any, cheat_passes: bool
) -> None:
    question = "Write f: (1) f(6,3)=15 (2) f(2,5)=9 (3) f(4,4)=12"
    metadata = json.dumps({"world": "code", "question": question})
    problem = {"question": question, "answer": "", "grader": "world:code", "metadata": metadata}
    config = CONFIG.model_copy(update={"reward": RewardConfig(outcome=outcome)})
    cheat, right, wrong = "if a==6:return 15;if a==2:return 9;return 12", "c=a*2;return c+b", "return a"
    solutions = [("prompt", f"answer {answer}") for answer in (cheat, right, wrong)]
    verdicts = _grader(["prompt"], [problem], config)([*solutions, ("prompt", "no answer")])
    assert verdicts == [cheat_passes, True, False, False]


def test_what_keeps_right_answers_is_in_the_figures_the_curve_and_the_plots(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    config = CONFIG.model_copy(
        update={
            "kl_coefficient": 0.1,
            "replay": ReplayConfig(weight=1.0),
            "resampling": ResamplingConfig(reserve=0.5),
            "early_stop": EarlyStopConfig(every=1, share=0.5, samples=4),
            "curriculum": 1.0,
        }
    )
    outcome = run(inputs, tmp_path / "guarded", config)
    curve = pl.read_parquet(tmp_path / "guarded" / "curve.parquet")
    kept = {"kl", "contrast_share", "resampled_share", "replay_loss", "held_out_pass_1", "held_out_pass_k"}
    assert kept <= set(curve.columns)
    assert not curve.select(kept).null_count().sum_horizontal().item()
    assert outcome.figures["replay_rows_rounds"] == 2
    assert outcome.figures["kept_update"] in (0, 1, 2)
    assert outcome.figures["kl_last"] is not None
    assert {"kl.png", "groups.png", "replay.png", "held_out.png"} <= {
        plot.name for plot in (tmp_path / "guarded" / "plots").iterdir()
    }
