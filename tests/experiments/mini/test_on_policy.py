"""On-policy distillation: the student's own solutions, the teacher's distribution at each token, equal after a kill."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from o1_assets.base.pretrain import save
from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.experiments.mini.chains import train_problems
from o1_assets.experiments.mini.config import OnPolicyConfig
from o1_assets.experiments.mini.on_policy import make_on_policy, reverse_kl
from tests.engine.training.interrupted import killed_after
from tests.policy.world import QUESTIONS, tiny_policy

CONFIG = OnPolicyConfig(
    updates=16, solutions=8, warmup=1, muon_lr=0.02, adamw_lr=1e-2, prompt=PromptFormat(max_tokens=16)
)


@pytest.fixture(scope="module")
def world() -> tuple[Any, Any]:
    return tiny_policy()


@pytest.fixture(scope="module")
def inputs(world: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A teacher that writes two solutions, a student that was shaken, and train problems."""
    root = tmp_path_factory.mktemp("on_policy")
    teacher, tokenizer = world
    student = copy.deepcopy(teacher)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter += 0.05 * torch.randn(parameter.shape)
    for name, model in (("teacher", teacher), ("student", student)):
        save(model, tokenizer, root / name)
    (root / "train").mkdir()
    rows = {"problem_id": [f"{i:016x}" for i in range(30)], "question": [QUESTIONS[i % 6] for i in range(30)]}
    pl.DataFrame(rows).write_parquet(root / "train" / "problems.parquet")
    return {name: root / name for name in ("teacher", "student", "train")}


def distilled(inputs: dict[str, Path], out: Path, unfinished: Path | None = None) -> Outcome:
    out.mkdir()
    return make_on_policy(Task(inputs, out, 3, _no_engine, unfinished=unfinished), CONFIG)


def _no_engine(folder: Path) -> Any:
    raise AssertionError("the student is sampled while it is trained")


def test_the_student_comes_near_the_teacher(inputs: dict[str, Path], tmp_path: Path) -> None:
    outcome = distilled(inputs, tmp_path / "out")
    assert outcome.figures["updates"] == 16 and outcome.rows == 16 * 8
    assert float(outcome.figures["kl_last"] or 9) < 0.5 * float(outcome.figures["kl_first"] or 0)
    assert outcome.cost.tokens_scored == outcome.cost.tokens_trained > outcome.cost.tokens_generated > 0


def test_a_killed_distillation_ends_in_the_same_bytes_and_counts(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = distilled(inputs, tmp_path / "whole")
    with killed_after(5, monkeypatch):
        distilled(inputs, tmp_path / "half", tmp_path / "unfinished")
    again = distilled(inputs, tmp_path / "again", tmp_path / "unfinished")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "again")]
    assert weights[0] == weights[1] and whole == again


@torch.no_grad()
def test_the_loss_is_the_divergence_summed_over_the_solutions_tokens(world: tuple[Any, Any]) -> None:
    teacher, tokenizer = world
    student = copy.deepcopy(teacher)
    short, long = (tokenizer.encode(t, add_special_tokens=False) for t in ("1+1=2\n", "1+1=2\nanswer 2\n"))
    prompt = tokenizer.encode("Calculate 2 * 5.\n", add_special_tokens=False)
    assert float(reverse_kl(student, teacher, [(prompt, short)], 1)) == pytest.approx(0, abs=1e-6)
    student.lm_head.weight += 0.3 * torch.randn(student.lm_head.weight.shape)
    # Padding changes nothing, and the parts of a batch add up to it.
    each = [float(reverse_kl(student, teacher, [(prompt, s)], 2)) for s in (short, long)]
    assert float(reverse_kl(student, teacher, [(prompt, short), (prompt, long)], 2)) == pytest.approx(
        sum(each)
    )
    ids = torch.tensor([prompt + short])
    log_p, log_q = (m(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1) for m in (student, teacher))
    exact = torch.nn.functional.kl_div(log_q, log_p, reduction="sum", log_target=True)
    assert each[0] == pytest.approx(float(exact) / 2, rel=1e-4) and each[0] > 0.01


def test_problems_that_choose_the_model_are_seen_by_no_arm() -> None:
    train = pl.DataFrame({"problem_id": [f"{i:016x}" for i in range(400)]})
    seen, choice = train_problems(train.sample(fraction=1, shuffle=True, seed=1))
    assert 20 < choice.height < 60 and seen.height + choice.height == 400
    assert not set(seen["problem_id"]) & set(choice["problem_id"])
    assert train_problems(train)[1].equals(choice), "the order of the table does not matter"


def test_another_vocabulary_is_refused(inputs: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in inputs["teacher"].iterdir():
        content = file.read_text() if file.name == "tokenizer.json" else None
        (other / file.name).write_bytes(file.read_bytes())
        if content is not None:
            changed = json.loads(content)
            changed["model"]["vocab"] |= {"zz": 999}
            (other / file.name).write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="different vocabularies"):
        distilled({**inputs, "teacher": other}, tmp_path / "out")
