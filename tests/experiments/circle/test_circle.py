"""The virtuous circle: which solutions a generation learns from, how the words are told, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.core.artifact import Cost, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.settings import Settings
from o1_assets.evaluation.evaluate_policy import PRM
from o1_assets.experiments.circle.config import CircleEvalConfig, Kept, RowsConfig, with_words
from o1_assets.experiments.circle.evaluate import ARMS, TRAINED, Generations, circle_result
from o1_assets.experiments.circle.rows import (
    KEEP,
    KIND,
    distinct,
    held_out_kind,
    make_rows,
    problems_of,
    readable_by,
    voted,
)
from o1_assets.experiments.circle.train import told
from o1_assets.experiments.result import write_result
from o1_assets.graph import build_graph
from o1_assets.problems.instructions import with_instructions
from o1_assets.problems.worlds.arithmetic.teacher import ARITHMETIC
from o1_assets.profiles.load import load_profile


def test_the_words_are_one_token_and_change_no_other() -> None:
    plain, instructed = (
        make_tokenizer(64),
        make_tokenizer(64, with_instructions(ARITHMETIC)),
    )
    question = PromptFormat().render("What is 3 * 4 - 5?")
    ids = instructed(with_words(PromptFormat()).render("What is 3 * 4 - 5?"))["input_ids"]
    assert ids[0] >= len(plain) and ids[1:] == plain(question)["input_ids"]


def test_only_chains_are_told_to_think() -> None:
    assert told(("What is 3 + 4?", ["answer 7"])) == ("What is 3 + 4?", ["answer 7"])
    assert told(("What is 3 + 4?", ["3+4=7", "answer 7"]))[0] == "Step by step: What is 3 + 4?"


def solutions() -> pl.DataFrame:
    """One problem: a chain that is alone with its answer and scores best, two that agree, a bare answer."""
    rows: list[tuple[str, list[str], float, float, bool, bool]] = [
        ("9", ["3*3=9", "answer 9"], 0.9, 0.9, True, False),
        ("7", ["3+4=7", "answer 7"], 0.6, 0.9, True, True),
        ("7", ["4+3=7", "answer 7"], 0.6, 0.2, True, True),
        ("7", ["answer 7"], 0.6, 0.9, True, True),
        ("7", ["3+4=7", "answer 7"], 0.6, 0.9, True, True),
    ]
    table = pl.DataFrame(rows, ["answer", "steps", PRM, "orm", "finished", "correct"], orient="row")
    text = pl.col("steps").list.join("\n")
    return table.with_columns(problem_id=pl.lit("p"), text=text).with_row_index("row").with_columns(voted())


@pytest.mark.parametrize(
    ("kept", "rows"), [("verified", [1, 4]), ("unverified", [0, 1, 2, 4]), ("direct", [3])]
)
def test_what_each_arm_learns_from(kept: Kept, rows: list[int]) -> None:
    """Verified chains: the answer that most believed chains have, and one that the ORM accepts too."""
    assert solutions().filter(KEEP[kept](RowsConfig(kept=kept)))["row"].to_list() == rows


def test_a_solution_with_a_word_that_reward_models_do_not_know_is_left_out() -> None:
    table = pl.DataFrame({"token_ids": [[3, 9], [3, 10], []]}, schema={"token_ids": pl.List(pl.Int32)})
    assert table.select(readable_by(10)).to_series().to_list() == [True, False, False]


def test_equal_solutions_are_one_and_easy_problems_have_few() -> None:
    assert distinct(solutions(), 9)["row"].to_list() == [0, 1, 2, 3]
    assert distinct(solutions(), 2)["row"].to_list() == [0, 1]


def problems(*expressions: str) -> pl.DataFrame:
    metadata = [json.dumps({"metadata": {"expression": text}}) for text in expressions]
    return pl.DataFrame({"problem_id": [f"{i:02d}" for i in range(len(metadata))], "metadata": metadata})


def test_no_generation_trains_on_the_held_out_kind_and_each_on_problems_of_its_own() -> None:
    train = problems("9 - 4 - 3", "1 + 2", "9 - 2 * 3 - 1", "5 - 1", "2 * 2", "1 + 1 - 1", "3 + 3")
    assert held_out_kind(train).to_list() == [True, False, True, False, False, False, False]
    drawn = [
        problems_of(train, RowsConfig(problems=2, generation=n))["problem_id"].to_list() for n in (1, 2, 3)
    ]
    assert drawn == [["01", "03"], ["04", "05"], ["06", "01"]]


@pytest.mark.parametrize(
    ("kept", "asked"), [("unverified", "Step by step: {question}\n"), ("direct", "{question}\n")]
)
def test_every_arm_reads_equally_many_rows_without_the_words(
    kept: Kept, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    train = problems("1 + 2", "5 - 1", "9 - 4 - 3").with_columns(question=pl.lit("What is 1 + 2?"))
    train.write_parquet(tmp_path / "problems.parquet")

    def sample(engine: Any, table: pl.DataFrame, config: Any, seed: int) -> tuple[pl.DataFrame, Cost]:
        assert config.prompt.template == asked
        steps = [["1+2=3", "answer 3"], ["answer 3"]] * table.height
        ids = [name for name in table["problem_id"] for _ in range(2)]
        drawn = pl.DataFrame({"problem_id": ids, "steps": steps, "solution_id": ids})
        text = pl.col("steps").list.join("\n")
        return drawn.with_columns(correct=pl.lit(True), finished=pl.lit(True), text=text), Cost()

    monkeypatch.setattr("o1_assets.experiments.circle.rows.sample", sample)
    monkeypatch.setattr("o1_assets.experiments.circle.rows.prompts_of", lambda *_: {})
    engine: Any = SimpleNamespace(close=lambda: None)
    task = Task(dict.fromkeys(("base", "train"), tmp_path), tmp_path / "out", 0, lambda folder: engine)
    outcome = make_rows(task, RowsConfig(kept=kept, samples=2, rows=7))
    rows = pl.read_parquet(tmp_path / "out" / "rows.parquet")
    # Two problems, as the third is of the held-out kind, with one such solution each.
    assert rows.height == 7 and set(rows["problem_id"]) == {"00", "01"} and outcome.figures["different"] == 2
    assert set(rows["question"]) == {"What is 1 + 2?"}
    assert set(rows["text"]) == {"answer 3" if kept == "direct" else "1+2=3\nanswer 3"}


def evaluated(without: float, words: float, chains: float, kind: float) -> pl.DataFrame:
    """40 problems and 20 of the held-out kind, with these means of the right ones."""
    parts = []
    for name, count, asked, share in (
        (TRAINED, 40, False, without), (TRAINED, 40, True, words), (KIND, 20, False, kind), (KIND, 20, True, kind),
    ):  # fmt: skip
        right = (np.arange(count) < round(count * share)).astype(float)
        ids = [f"{name}{i:02d}" for i in range(count)]
        columns: dict[str, Any] = {
            "problem_id": ids,
            "right": right,
            "any": right,
            "greedy": right,
            "chains": np.full(count, chains),
        }
        parts.append(pl.DataFrame(columns).with_columns(kind=pl.lit(name), words=pl.lit(asked)))
    return pl.concat(parts)


@pytest.fixture
def generations() -> Generations:
    base = evaluated(0.1, 0.4, 0.0, 0.1)
    evals = {(arm, 0): base for arm in ARMS}
    evals |= {("verified", g): evaluated(0.4 + 0.1 * g, 0.4 + 0.1 * g, 1.0, 0.2) for g in (1, 2)}
    evals |= {("unverified", g): evaluated(0.4, 0.4, 1.0, 0.2) for g in (1, 2)}
    evals |= {("direct", g): evaluated(0.15, 0.4, 0.0, 0.1) for g in (1, 2)}
    return Generations(evals)


def test_the_claims_follow_from_what_was_measured(generations: Generations, tmp_path: Path) -> None:
    result = circle_result(generations, CircleEvalConfig(resamples=100), seed=1)
    claims = {claim.name: claim for claim in result.claims}
    tripled = claims["circle_direct_to_chain"]
    assert tripled.value == pytest.approx(6) and tripled.target == 3
    assert tripled.low is not None and tripled.low < 6 < (tripled.high or 0)
    values = {name: claim.value for name, claim in claims.items()}
    assert values["circle_need_for_words_g0"] == pytest.approx(0.3)
    assert values["circle_need_for_words_g2"] == pytest.approx(0)
    assert values["circle_minus_unverified"] == pytest.approx(0.2)
    assert values["circle_minus_direct"] == pytest.approx(0.45)
    assert values["circle_gain_subtracts_twice"] == pytest.approx(0.1)
    assert values["circle_held_out_minus_trained"] == pytest.approx(0.1 - 0.2)
    write_result(tmp_path, result)
    assert (tmp_path / "plots" / "circle.png").exists()


def test_arms_draw_alike_and_only_the_circle_reads_reward_models() -> None:
    graph = build_graph(load_profile("nano", ""), Settings.load("nano", Path("/nowhere")))
    circle, control = graph["circle/g2/rows"], graph["circle/unverified/g2/rows"]
    assert circle.seed == control.seed and {"prm", "orm"} <= set(circle.inputs)
    assert set(control.inputs) == {"base", "train"} and control.inputs["base"] == "circle/unverified/g1/base"
    assert (
        graph["circle/direct/g1/base"].inputs["base"]
        == graph["circle/g1/base"].inputs["base"]
        == "circle/g0/base"
    )
