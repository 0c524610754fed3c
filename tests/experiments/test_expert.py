"""Expert iteration on a tiny policy that has a misconception, with reward models that know better."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from safetensors.torch import load_file
from torch.linalg import matrix_rank

from o1_assets.core.artifact import Task
from o1_assets.core.flops import non_embedding_parameters
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.checkpoint import load_causal_lm
from o1_assets.engine.training.config import LoraConfig, TuningConfig
from o1_assets.engine.transformers_engine import TransformersEngine
from o1_assets.experiments.search_in_rl.expert_iteration import (
    ExpertConfig,
    _batch,
    choose,
    fine_tune,
    make_expert_policy,
    solve,
)
from o1_assets.generator.sft import encode
from o1_assets.reward.model import ORM_CLASSES, PRM_CLASSES, save_reward_model, start_reward_model
from tests.engine.training.interrupted import killed_then_resumed
from tests.policy.test_make_policy import digests
from tests.policy.test_train import right_share
from tests.policy.world import QUESTIONS, RIGHT, ExactRewards, tiny_policy

CONFIG = ExpertConfig(
    iterations=2,
    updates=4,
    problems_per_update=3,
    searches=2,
    branch=4,
    learning_rate=3e-3,
    prompt=PromptFormat(max_tokens=24),
)


@pytest.fixture(scope="module")
def world() -> tuple[Any, Any]:
    return tiny_policy()


def test_fine_tuning_on_what_search_found_teaches_the_right_path(world: tuple[Any, Any]) -> None:
    model, tokenizer = copy.deepcopy(world[0]), world[1]
    before = right_share(model, tokenizer)
    engine = TransformersEngine(model, tokenizer)
    texts, scores, tokens = solve(engine, ExactRewards(tokenizer), QUESTIONS, CONFIG, seed=1)
    kept = choose(texts, scores, CONFIG, at_least=1)
    assert {texts[q][i] for q, i in kept} == {RIGHT[0]} and tokens > 0
    rows = encode(tokenizer, [QUESTIONS[q] for q, _ in kept], [texts[q][i] for q, i in kept], CONFIG.prompt)
    fine_tune(model, tokenizer, rows, 8, CONFIG, seed=0)
    assert before < 0.4
    assert right_share(model, tokenizer) > before + 0.3


def test_kept_is_what_is_believed_and_the_best_of_the_rest_where_that_is_too_little() -> None:
    texts = [["a", "b", "c"], ["d"], ["e", "f"]]
    scores = [[0.9, 0.2, 0.8], [0.6], [0.1, 0.3]]
    config = CONFIG.model_copy(update={"per_problem": 1, "threshold": 0.5})
    assert choose(texts, scores, config, at_least=1) == [(0, 0), (1, 0)]
    assert choose(texts, scores, config, at_least=3) == [(0, 0), (1, 0), (2, 1)]
    both = config.model_copy(update={"per_problem": 2})
    assert choose(texts, scores, both, at_least=1) == [(0, 0), (0, 2), (1, 0)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, world: tuple[Any, Any]) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("inputs")
    model, tokenizer = world
    model.save_pretrained(home / "policy")
    tokenizer.save_pretrained(home / "policy")
    for name, classes in (("prm", PRM_CLASSES), ("orm", ORM_CLASSES)):
        save_reward_model(start_reward_model(home / "policy", classes, None), home / "policy", home / name)
    (home / "train").mkdir()
    rows = [{"question": q, "answer": "2", "grader": "math", "metadata": "{}"} for q in QUESTIONS]
    pl.DataFrame(rows).write_parquet(home / "train" / "problems.parquet")
    return {name: home / name for name in ("policy", "prm", "orm", "train")} | {"generator": home / "policy"}


def test_a_killed_expert_goes_on_to_the_same_bytes_and_nobody_asks_for_the_answer(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "o1_assets.problems.grading.grade", lambda *a: pytest.fail("asked for the true answer")
    )
    config = CONFIG.model_copy(update={"iterations": 4})
    (tmp_path / "whole").mkdir()
    whole = make_expert_policy(
        Task(inputs, tmp_path / "whole", 5, lambda path: pytest.fail(str(path))), config
    )
    again, folder, lines = killed_then_resumed(
        make_expert_policy, config, inputs, tmp_path / "k", monkeypatch, saves=1
    )
    assert "continues at iteration 1 of 4" in lines
    assert digests(folder) == digests(tmp_path / "whole") and again == whole
    assert whole.figures["updates"] == 4 and whole.cost.tokens_generated > 0
    assert whole.cost.flops > 6 * whole.cost.tokens_trained > 0


def test_it_is_tuned_as_the_policy_is(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Low-rank updates, in pieces: what is stored is a plain checkpoint in which only the targets changed."""
    pytest.importorskip("peft", reason="LoRA needs peft: `uv sync --extra lora`")
    lora = LoraConfig(rank=2, alpha=4, targets=("q_proj", "down_proj"))
    tuning = TuningConfig(lora=lora, micro_batch=2)
    config = CONFIG.model_copy(update={"iterations": 4, "tuning": tuning})
    whole = tmp_path / "whole"
    whole.mkdir()
    outcome = make_expert_policy(Task(inputs, whole, 5, lambda path: pytest.fail(str(path))), config)
    before, after = (load_file(p / "model.safetensors") for p in (inputs["policy"], whole))
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed == {name for name in before if name.split(".")[-2] in lora.targets}
    for name in changed:
        assert matrix_rank(after[name] - before[name], atol=1e-6) <= lora.rank
    plain = make_expert_policy(Task(inputs, tmp_path, 5, lambda path: pytest.fail(str(path))), CONFIG)
    per_token = [
        (o.cost.flops - 2 * P * (o.cost.tokens_generated + o.cost.tokens_scored)) / o.cost.tokens_trained
        for P, o in ((parameters(inputs), outcome), (parameters(inputs), plain))
    ]
    # The heads of the reward models are parameters too.
    assert per_token == pytest.approx([4 * parameters(inputs), 6 * parameters(inputs)], rel=0.1)
    _, folder, _ = killed_then_resumed(
        make_expert_policy, config, inputs, tmp_path / "k", monkeypatch, saves=1
    )
    assert digests(folder) == digests(whole)


def parameters(inputs: dict[str, Path]) -> int:
    """Of the model that is stored: neither its embeddings nor what trained it."""
    return non_embedding_parameters(load_causal_lm(inputs["policy"]))


def test_an_update_sees_equally_many_rows_in_every_piece() -> None:
    ten = [None] * 10
    assert _batch(ten, 1, TuningConfig()) == (10, 1)
    assert _batch(ten, 1, TuningConfig(micro_batch=4)) == (4, 3)
    assert _batch(ten, 3, TuningConfig(micro_batch=4)) == (4, 1)
