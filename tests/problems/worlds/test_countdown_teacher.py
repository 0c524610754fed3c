"""The corpus of countdown is right where its teacher makes no errors, and wrong in known ways where they do."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
from transformers import AutoTokenizer

from o1_assets.base.config import WorldBase
from o1_assets.base.pretrain import make_base
from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.core.artifact import Task
from o1_assets.engine.open import open_engine
from o1_assets.problems.worlds.countdown.rules import Countdown
from o1_assets.problems.worlds.countdown.teacher import COUNTDOWN, CountdownCorpus, draw_corpus
from o1_assets.problems.worlds.registry import WORLDS

FAULTLESS = {"wander_rate": 0.0, "slip_rate": 0.0}


def kinds(question: str, steps: list[str]) -> list[str]:
    """The checker's verdict on each step."""
    problem = Countdown.parse(question)
    assert problem is not None
    world = WORLDS["countdown"]
    working, kinds = world.start(problem), []
    for step in steps:
        working, verdict = world.take_step(working, step)
        kinds.append(verdict.kind)
    return kinds


def test_without_errors_every_step_is_right() -> None:
    config = CountdownCorpus(solutions=300, check_rate=0.3, **FAULTLESS)
    for question, steps in draw_corpus(config, seed=1, exclude=()):
        assert set(kinds(question, steps)) <= {"right", "check"}, (question, steps)


def test_those_who_stray_lose_the_target_and_some_claim_to_have_reached_it() -> None:
    config = CountdownCorpus(
        solutions=600, wander_rate=0.6, reuse_rate=0.3, give_up_rate=0.3, slip_rate=0.05, notice_rate=0.3
    )
    seen = Counter[str]()
    for question, steps in draw_corpus(config, seed=2, exclude=()):
        verdicts = kinds(question, steps)
        # Not "needless": the teacher takes a target for lost that combining two other numbers would reach.
        assert not {"unreadable", "left", "correction", "after_answer"} & set(verdicts), (
            question,
            steps,
        )
        seen.update(set(verdicts))
        target = question.split()[-1].rstrip(".")
        claims = len(steps) > 1 and steps[-2].endswith(f"={target}")
        seen["claims"] += verdicts[-1] == "answer" and claims
        seen["gives up"] += len(steps) > 1 and " left " in steps[-2]
        seen["corrects"] += any(
            s.startswith("wait") and k == "right" for s, k in zip(steps, verdicts, strict=True)
        )
    assert min(seen[kind] for kind in ("dead_end", "result", "claims", "gives up", "corrects", "answer")) > 10


def test_the_tokenizer_reads_all_of_it_and_a_number_is_one_token() -> None:
    tokenizer = make_tokenizer(128, COUNTDOWN)
    config = CountdownCorpus(solutions=300, wander_rate=0.5, slip_rate=0.1, check_rate=0.2)
    for question, steps in draw_corpus(config, seed=3, exclude=()):
        text = question + "\n" + "".join(step + "\n" for step in steps)
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids and tokenizer.decode(ids) == text
    assert len(tokenizer("Use 10, 8, 3 and 2 to make 24.\n")["input_ids"]) == 12
    assert tokenizer.unk_token_id in tokenizer("100")["input_ids"]


def test_test_problems_are_kept_out_in_any_order_of_their_numbers() -> None:
    world, corpus = WORLDS["countdown"], CountdownCorpus(solutions=200, max_numbers=3, max_number=3)
    questions = {question for question, _ in world.draw_corpus(corpus, 5, ())}
    held_out = sorted(questions)[::2]
    again = {question for question, _ in world.draw_corpus(corpus, 5, held_out)}
    assert again and not again & set(held_out)
    metadata = '{"metadata": {"source_dataset": "countdown", "numbers": [2, 3, 1], "target": 9}}'
    assert world.contents([metadata, "{}"]) == {"Use 3, 2 and 1 to make 9."}


def test_a_base_of_countdown_is_pre_trained_on_it(tmp_path: Path) -> None:
    entry = {"source_dataset": "countdown", "numbers": [3, 7, 8, 2], "target": 24}
    (tmp_path / "test").mkdir()
    pl.DataFrame({"metadata": [json.dumps({"metadata": entry})]}).write_parquet(
        tmp_path / "test/problems.parquet"
    )
    config = WorldBase(
        world="countdown",
        corpus=CountdownCorpus(solutions=48),
        hidden_size=32,
        intermediate_size=32,
        layers=1,
        heads=1,
        batch_size=16,
    )
    (out := tmp_path / "base").mkdir()
    made = make_base(Task({"test": tmp_path / "test"}, out, seed=1, open_engine=open_engine), config)
    assert made.figures["corpus_solutions"] == 48 and made.figures["too_long"] == 0
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert len(tokenizer) == len(COUNTDOWN.tokens) and json.loads((out / "config.json").read_text())[
        "vocab_size"
    ] == len(tokenizer)
