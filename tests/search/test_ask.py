"""`o1 ask` on a store with untrained models: what it prints, what it needs, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from o1_assets.cli.main import app
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import Settings
from o1_assets.execution.environment import environment
from o1_assets.search.strategies import EFFORTS, IN_SECONDS, STRATEGIES, strategy_for
from o1_assets.store.manifest import Manifest, ManifestCost
from o1_assets.store.store import ArtifactStore
from tests.digits import digit_tokenizer
from tests.search.wide import think

QUESTION = "What is 3 * 4 - 5?"


READS_Q = [name for name in STRATEGIES if STRATEGIES[name].strategy.reads == "q"]


WITHOUT_Q = [name for name in STRATEGIES if name not in READS_Q]


def record(store: ArtifactStore, key: str, folder: Path) -> str:
    """Puts a copy of a folder into the store as the newest version of a key; returns its digest."""
    import shutil

    scratch = store.scratch()
    shutil.copytree(folder, scratch, dirs_exist_ok=True)
    digest = store.put(scratch)
    cost = ManifestCost(
        seconds=0, peak_rss_gib=0, flops=0, tokens_generated=0, tokens_scored=0, tokens_trained=0
    )
    store.record(
        Manifest(
            key=key, digest=digest, cache_key=f"{key}".encode().hex().ljust(64, "0"), inputs={}, external=None,
            code_version="", config={}, seed=0, profile="nano", finished="", cost=cost, figures={}, rows=None,
            sample=[], environment=environment(1),
        )
    )  # fmt: skip
    return digest


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with untrained models: GPT*, baby-o1 v0 and v1, PRM v0 and v1, Q-value model v0."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from o1_assets.reward.model import ORM_CLASSES, PRM_CLASSES, save_reward_model, start_reward_model

    root, tokenizer = tmp_path_factory.mktemp("ask"), digit_tokenizer(256)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=1, num_key_value_heads=1, max_position_embeddings=256, tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    settings = Settings.load("nano", root)
    store = ArtifactStore(settings.store, settings.work)
    for i, key in enumerate(("generator/model", "r00/policy", "r01/policy")):
        torch.manual_seed(i)
        folder = root / key
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        record(store, key, folder)
    for key in ("r00/prm", "r01/prm", "r00/q_value"):
        classes = ORM_CLASSES if key.endswith("q_value") else PRM_CLASSES
        model = start_reward_model(root / "generator/model", classes, [-8.0, -2.0, 0.0])
        save_reward_model(model, root / "generator/model", root / key)
        record(store, key, root / key)
    return root


@pytest.fixture(autouse=True)
def one_thread_after() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def o1(home: Path, *arguments: str, stdin: str | bytes = "") -> Result:
    environment = {"O1_HOME": str(home), "O1_SET": "threads=1", "COLUMNS": "120"}
    return CliRunner().invoke(app, ["ask", *arguments], input=stdin, env=environment)


def answered(home: Path, *arguments: str, stdin: str = "") -> Any:
    result = o1(home, *arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def refused(home: Path, *arguments: str) -> str:
    """The one sentence that `main` prints."""
    error = o1(home, *arguments).exception
    assert isinstance(error, O1Error), repr(error)
    assert "\n" not in str(error)
    return str(error)


def test_the_newest_policy_answers_with_its_rounds_prm(home: Path) -> None:
    settings = Settings.load("nano", home)
    store = ArtifactStore(settings.store, settings.work)
    heads = {key: store.head(key) for key in ("r01/policy", "r01/prm", "generator/model")}
    result = answered(home, QUESTION, "--effort", "medium", "--tokens", "100", "--strategy", "beam")
    assert result["models"] == {key: head.digest for key, head in heads.items() if head is not None}
    assert result["strategy"] == "beam" and result["budget_tokens"] == 100
    [answer] = result["answers"]
    assert answer["question"] == answer["read_as"] == QUESTION and 80 < answer["tokens"]["generated"] <= 100
    assert all(0 <= step["right"] <= 1 for step in answer["steps"] if not answer["forced"])
    alone = answered(home, QUESTION, "--model", "r00/policy", "--effort", "low", "--strategy", "chain")
    assert set(alone["models"]) == {"r00/policy"}


@pytest.mark.parametrize("strategy", WITHOUT_Q)
def test_every_strategy_answers_and_equal_seeds_think_alike(home: Path, strategy: str) -> None:
    arguments = (QUESTION, "--strategy", strategy, "--tokens", "60")
    first, again = answered(home, *arguments), answered(home, *arguments)
    assert first["strategy"] == strategy and first["answers"] == again["answers"]


def test_a_time_out_takes_the_place_of_the_effort(home: Path) -> None:
    result = answered(home, QUESTION, "--seconds", "0.3", "--tokens", "500")
    assert result["budget_seconds"] == 0.3 and result["budget_tokens"] == 500
    assert result["strategy"] == IN_SECONDS and result["seconds"] > 0
    assert "budget 0.3 s; " in o1(home, QUESTION, "--seconds", "0.3", "--tokens", "500").stdout


@pytest.mark.parametrize("strategy", READS_Q)
def test_what_reads_q_values_takes_those_of_the_policys_round(home: Path, strategy: str) -> None:
    arguments = (QUESTION, "--model", "r00/policy", "--strategy", strategy, "--tokens", "600")
    result = answered(home, *arguments)
    assert set(result["models"]) == {"r00/policy", "r00/prm", "r00/q_value", "generator/model"}
    [answer] = result["answers"]
    assert any(step["q"] is not None for step in answer["steps"])
    assert answered(home, *arguments)["answers"] == result["answers"]


@pytest.mark.parametrize("strategy", READS_Q)
def test_without_a_q_value_model_it_says_what_to_run_before_anything_is_loaded(
    home: Path, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("o1_assets.cli.thinker.load_thinker", lambda *_: pytest.fail("loaded"))
    said = refused(home, QUESTION, "--strategy", strategy)
    assert "r01/q_value, which has not been made" in said and "`o1 run --with r01/q_value`" in said


def test_questions_of_one_batch_are_answered_as_alone(home: Path) -> None:
    lines = "1 + 2 + 3\n\nWhat is 9 - 4?\n"
    together = answered(home, QUESTION, "-", "--tokens", "80", "--strategy", "beam", stdin=lines)["answers"]
    assert [answer["read_as"] for answer in together] == [QUESTION, "Calculate 1 + 2 + 3.", "What is 9 - 4?"]
    [alone] = answered(home, "What is 9 - 4?", "--tokens", "80", "--strategy", "beam")["answers"]
    assert [step["text"] for step in alone["steps"]] == [step["text"] for step in together[2]["steps"]]


def test_a_line_that_cannot_be_asked_is_named_and_the_others_are_answered(home: Path) -> None:
    lines = b"What is love?\n\n1 + 2 + 3\nWhat \xff?\nWhat is 9 - 4?\n"
    result = o1(home, "-", "--tokens", "60", "--strategy", "beam", "--json", stdin=lines)
    document = json.loads(result.stdout)
    assert [answer["question"] for answer in document["answers"]] == ["1 + 2 + 3", "What is 9 - 4?"]
    not_text, unknown = document["refused"]
    assert unknown.startswith('line 1: "What is love?" cannot be asked: the model has no tokens for')
    assert not_text.startswith("line 4: ") and "letter 6 is no character" in not_text
    assert result.exit_code == 1 and result.stderr.splitlines() == [f"o1: {not_text}", f"o1: {unknown}"]
    error = o1(home, "-", stdin="What is love?\nWho?\n").exception
    assert str(error).startswith("line 1: ") and str(error).endswith("(none of the 2 questions can be asked)")


def test_a_person_reads_steps_answer_tree_and_page(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "tree.html"
    result = o1(
        home,
        QUESTION,
        "what is 12 * 12",
        "--tokens",
        "60",
        "--strategy",
        "mcts",
        "--show-tree",
        "--tree",
        str(page),
    )
    assert result.exit_code == 0, result.exception
    assert result.stdout.count("answer") >= 2 and "r01/policy, mcts, budget 60 tokens" in result.stdout
    assert "solutions" in result.stdout and "looked ahead" in result.stdout
    assert result.stderr.count("12 is not from 0 to 10") == 1 and len(result.stderr.strip().splitlines()) == 1
    assert page.read_text().count('"question":') == 2


def test_what_cannot_be_is_one_sentence_that_says_what_can(home: Path, tmp_path: Path) -> None:
    assert "low, medium, high" in refused(home, QUESTION, "--effort", "extreme")
    assert "direct, chain, consistency" in refused(home, QUESTION, "--strategy", "luck")
    assert "above 0" in refused(home, QUESTION, "--tokens", "0")
    for seconds in ("0", "-1", "nan", "inf"):
        assert "give --seconds a number above 0" in refused(home, QUESTION, "--seconds", seconds)
    assert "no tokens for" in refused(home, "Who is it?")
    assert r"'3\udcff' cannot be asked: letter 2 is no character" in refused(home, "3\udcff")
    assert "answers no questions" in refused(home, QUESTION, "--model", "r01/prm")
    assert "there is no r99/policy: the rounds of this profile are r00 to r10" in refused(
        home, QUESTION, "--model", "r99/policy"
    )
    assert "r05/policy has not been made" in refused(home, QUESTION, "--model", "r05/policy")
    assert "is a folder" in refused(home, QUESTION, "--tree", str(tmp_path))
    assert "nothing was asked" in refused(home, "-")
    assert "make run" in refused(tmp_path / "empty", QUESTION)


def test_every_effort_thinks_in_a_known_way_and_longer_than_the_one_before() -> None:
    assert list(EFFORTS) == ["low", "medium", "high"]
    solutions = [effort.solutions for effort in EFFORTS.values()]
    assert solutions == sorted(set(solutions)) and {e.strategy for e in EFFORTS.values()} <= set(STRATEGIES)
    assert strategy_for(1, 64) == EFFORTS["low"].strategy
    assert strategy_for(10**6, 64) == EFFORTS["high"].strategy


@pytest.mark.parametrize("name", WITHOUT_Q)
def test_no_named_strategy_thinks_for_ever_in_a_small_world(name: str) -> None:
    """Whose few solutions were all seen long before the budget is spent."""
    table = {
        "q\n": {"a\n": 0.5, "b\n": 0.5},
        "q\na\n": {"answer 1\n": 1.0},
        "q\nb\n": {"answer 2\n": 1.0},
        "q\na\nanswer 1\n": {"": 1.0},
        "q\nb\nanswer 2\n": {"": 1.0},
        "q\nanswer ": {"3\n": 1.0},
    }
    found = think(STRATEGIES[name].strategy, tokens=4000, table=table)
    assert found.answer.answer in ("1", "2", "3")
