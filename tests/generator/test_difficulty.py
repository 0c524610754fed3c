"""How hard problems are for a model, and which of them are trained on."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from o1_assets.cli.problems import _remedy
from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.settings import Settings
from o1_assets.generator.config import Band, SamplesConfig
from o1_assets.generator.difficulty import (
    BATCH,
    NothingInBand,
    histogram,
    in_band,
    make_banded,
    make_difficulty,
)
from o1_assets.graph import build_graph
from o1_assets.policy.replay import right_shares
from o1_assets.problems.solutions import sample_solutions
from o1_assets.profiles.load import load_profile
from tests.engine.models import engine

ANSWER = PromptFormat(answer_prefix="1", max_tokens=4)
CONFIG = SamplesConfig(problems=3 * BATCH, per_problem=2, prompt=ANSWER)


def problems(count: int) -> pl.DataFrame:
    rows = [
        {
            "problem_id": f"{i:04d}", "question": f"Compute {i % 9}.", "answer": "7", "grader": "math",
            "metadata": "{}", "difficulty": 0, "source": "test",
        }
        for i in range(count)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def task(folder: Path, **inputs: pl.DataFrame) -> Task:
    for name, table in inputs.items():
        (folder / name).mkdir(parents=True)
        file = "difficulty.parquet" if name == "difficulty" else "problems.parquet"
        table.write_parquet(folder / name / file)
    (folder / "out").mkdir()
    return Task(
        {name: folder / name for name in [*inputs, "model"]}, folder / "out", 3, lambda path: engine()
    )


def measured(*right: int, samples: int = 4) -> pl.DataFrame:
    names = [f"{i:04d}" for i in range(len(right))]
    shares = [r / samples for r in right]
    return pl.DataFrame(
        {"problem_id": names, "samples": samples, "right": list(right), "pass_rate": shares, "finished": 1.0}
    )


def test_each_problem_s_samples_are_counted_whatever_the_batch(tmp_path: Path) -> None:
    lines: list[str] = []
    asked = task(tmp_path, problems=problems(BATCH + 5))
    asked.progress = lines.append
    outcome = make_difficulty(asked, CONFIG)
    table = pl.read_parquet(asked.out / "difficulty.parquet")
    assert lines == [f"{BATCH}/{BATCH + 5} problems", f"{BATCH + 5}/{BATCH + 5} problems"]
    assert table.height == outcome.rows == BATCH + 5 and set(table["samples"]) == {2}
    last = problems(BATCH + 5)[-1:]
    alone = sample_solutions(engine(), last, 2, SamplingParams(4, 1.0), 3, ANSWER)
    assert table["right"][-1] == alone["correct"].sum()
    assert table["finished"][-1] == alone["finished"].mean()


def test_a_band_keeps_the_problems_between_its_ends(tmp_path: Path) -> None:
    given = task(tmp_path, pool=problems(6), difficulty=measured(0, 1, 2, 3, 4, 4))
    outcome: Outcome = make_banded(given, Band())
    kept = pl.read_parquet(given.out / "problems.parquet")
    assert kept.equals(problems(6)[1:4])
    assert {name: outcome.figures[name] for name in ("problems", "too_hard", "too_easy")} == {
        "problems": 3, "too_hard": 1, "too_easy": 2,
    }  # fmt: skip
    assert in_band(measured(0, 1, 2, 3, 4), Band(lowest=0, highest=1)).height == 5


def test_a_base_that_solves_nothing_stops_with_the_remedy(tmp_path: Path) -> None:
    given = task(tmp_path, pool=problems(3), difficulty=measured(0, 0, 0))
    with pytest.raises(
        NothingInBand, match=r"3 in none of them: take easier problems, sample more .*references"
    ):
        make_banded(given, Band())
    with pytest.raises(ValueError, match=r"lowest is 0.8, above highest"):
        Band(lowest=0.8, highest=0.2)


def test_the_remedy_knows_of_worked_solutions() -> None:
    """sft_set.references teaches the base where it solves nothing, so that harder problems do no harm."""
    taught = _remedy("base/model", 12, references=True)
    assert "still to learn from 12 worked solutions" in taught and "--model generator/model" in taught
    assert "easier" not in taught and "none to train on" not in taught
    assert "teach the base from the 12 worked solutions" in _remedy("base/model", 12, references=False)
    assert "give the problems worked solutions" in _remedy("base/model", 0, references=True)
    after = _remedy("generator/model", 12, references=True)
    assert "stronger base" in after and "references" not in after


@pytest.mark.parametrize(("samples", "bars"), [(4, 5), (16, 10)])
def test_every_problem_stands_in_one_bar(samples: int, bars: int) -> None:
    counted = histogram(measured(0, 1, 1, samples, samples=samples))
    assert len(counted) == bars and sum(bar["problems"] for bar in counted) == 4
    assert counted[0]["problems"] == (1 if samples == 4 else 3) and counted[-1]["problems"] == 1


def test_with_a_band_the_difficulty_comes_before_the_train_problems(tmp_path: Path) -> None:
    profile = load_profile("nano", "difficulty.band={}\npolicy.curriculum=2")
    graph = build_graph(profile, Settings("nano", tmp_path))
    assert graph["problems/train"].inputs == {"pool": "pool/train", "difficulty": "difficulty/train"}
    assert not graph["difficulty/train"].part and graph["r00/policy"].inputs["difficulty"]
    usual = build_graph(load_profile("nano", "policy.curriculum=2"), Settings("nano", tmp_path))
    assert usual["difficulty/train"].part == "difficulty" and "pool/train" not in usual
    assert "difficulty" not in usual["r00/policy"].inputs


def test_the_curriculum_begins_with_the_base_s_shares_and_goes_on_with_the_newest(tmp_path: Path) -> None:
    for name in ("difficulty", "solutions_00"):
        (tmp_path / name).mkdir()
    measured(1, 3).write_parquet(tmp_path / "difficulty" / "difficulty.parquet")
    newer = pl.DataFrame({"problem_id": ["0001"] * 2, "correct": [True, True]})
    newer.write_parquet(tmp_path / "solutions_00" / "solutions.parquet")
    inputs = {name: tmp_path / name for name in ("difficulty", "solutions_00")}
    assert right_shares(inputs) == {"0000": 0.25, "0001": 1.0}
