"""PRM800K records in and out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from o1_assets.labels.inbox.lines import MAX_LINE_BYTES, read_lines
from o1_assets.labels.schema import Record
from tests.labels import world

SAMPLES = Path(__file__).parents[2] / "../shared/data/prm800k/samples.jsonl"


def record(**changes: object) -> dict[str, object]:
    step = {"completions": [{"text": "x", "rating": 1, "flagged": False}], "human_completion": None}
    return {
        "labeler": "ann", "timestamp": "2022-07-30T23:23:32.118856", "generation": None,
        "is_quality_control_question": False, "is_initial_screening_question": False,
        "question": {"problem": "1 + 1", "ground_truth_answer": None},
        "label": {"steps": [{**step, "chosen_completion": 0}], "total_time": 5, "finish_reason": "solution"},
        **changes,
    }  # fmt: skip


@pytest.mark.skipif(not SAMPLES.exists(), reason="real PRM800K records are not in ../shared/data/prm800k")
def test_real_records_of_both_phases_come_out_byte_for_byte_as_they_went_in() -> None:
    lines = SAMPLES.read_text().splitlines()
    records = [Record.from_line(line) for line in lines]
    assert [r.to_line() for r in records] == lines
    assert {r.generation for r in records} == {None, 6}


@pytest.mark.parametrize(
    "label",
    [
        {"steps": [{"completions": None, "human_completion": {"text": "y", "rating": None, "source": "human",
                    "flagged": False}, "chosen_completion": None}], "total_time": 1, "finish_reason": "give_up"},
        {"steps": [], "total_time": 1, "finish_reason": "bad_problem"},
        {"steps": [{"completions": [{"text": "x", "rating": None, "flagged": None}], "human_completion": None,
                    "chosen_completion": None}], "total_time": 1, "finish_reason": "found_error"},
    ],
)  # fmt: skip
def test_what_real_records_leave_null_or_out_survives(label: dict[str, object]) -> None:
    original = record(label=label, unknown_field={"kept": [1]})
    assert json.loads(Record.from_line(json.dumps(original)).to_line()) == original


@pytest.mark.parametrize("rating", ["2", "-2", '"1"', "true", "1.0", "0.5", "[1]"])
def test_a_rating_is_minus_one_zero_one_or_null_and_nothing_like_it(rating: str) -> None:
    line = json.dumps(record()).replace('"rating": 1', f'"rating": {rating}')
    with pytest.raises(ValueError, match="rating"):
        Record.from_line(line)


def test_a_reader_that_knows_only_prm800k_reads_an_export(tmp_path: Path) -> None:
    exported = json.loads(world.unrated(world.load(tmp_path))["right"].to_line())
    origin = exported.pop("o1")
    assert origin["solution_id"] == "right" and origin["round"] == "r03"
    assert exported["generation"] == 2, "phase 2 begins with generation 0 in r01"
    assert exported["question"]["pre_generated_steps"] == ["3*4=12", "12-5=7", "answer 7"]
    assert exported["question"]["ground_truth_answer"] == "7"
    assert [[c["rating"] for c in step["completions"]] for step in exported["label"]["steps"]] == [
        [None, None], [None, None, None], [None],
    ]  # fmt: skip


def test_every_kind_of_broken_line_is_named_and_the_good_ones_are_read(tmp_path: Path) -> None:
    good = json.dumps(record()).encode()
    lines = [
        good,
        good[:100],
        b"\xff\xfe" + good,
        b"[]",
        json.dumps(record(timestamp="yesterday")).encode(),
        b"7" * (MAX_LINE_BYTES + 5),
        b"[" * 100_000,
        b"",
        good,
    ]
    path = tmp_path / "batch.jsonl"
    path.write_bytes(b"\n".join(lines))
    read = list(read_lines(path))
    assert [line.number for line in read if line.record] == [1, 9]
    assert [(line.number, line.violation.rule) for line in read if line.violation] == [
        (2, "not_json"), (3, "not_utf8"), (4, "wrong_schema"), (5, "wrong_schema"), (6, "line_too_long"),
        (7, "not_json"),
    ]  # fmt: skip
