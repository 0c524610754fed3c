"""What people chose in the browser becomes the record that the inbox takes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from o1_assets.labels.inbox.tables import ParsedRecord
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.pull import rated_record
from tests.labels import world
from tests.labels.studio.fake import recorded

USERS = {1: "lead@example.com"}
N = None


def records(name: str) -> dict[str, Record]:
    return {
        task["data"]["solution_id"]: record
        for task in recorded(name)
        if (record := rated_record(task, task["annotations"][0], USERS)) is not None
    }


def ratings(record: Record) -> list[list[int | None]]:
    return [[item.rating for item in step.completions or []] for step in record.label.steps]


@pytest.mark.parametrize(
    ("name", "solution", "expected", "reason"),
    [
        ("dense", "right", [[1, -1], [1, -1, N], [1]], "solution"),
        ("dense", "wrong", [[-1, 0, N], [N, N], [N]], "found_error"),
        ("dense", "direct", [[N, N, N]], "give_up"),
        ("sparse", "right", [[1, N], [1, N, N], [1]], "solution"),
        ("sparse", "wrong", [[0, N, N], [-1, -1], [N]], "found_error"),
        ("sparse", "direct", [[N, N, N]], "give_up"),
    ],
)
def test_the_record_holds_what_was_chosen(
    name: str, solution: str, expected: list[list[int | None]], reason: str
) -> None:
    record = records(name)[solution]
    assert ratings(record) == expected
    assert record.label.finish_reason == reason
    assert record.labeler == "lead@example.com"
    assert record.label.total_time is not None and record.label.total_time > 0


@pytest.mark.parametrize(("name", "round_name"), [("dense", "r03"), ("sparse", "r04")])
def test_the_inbox_has_nothing_to_complain_about(tmp_path: Path, name: str, round_name: str) -> None:
    check = SelectionCheck(world.load(tmp_path), round_name, PROTOCOLS[name])
    parsed = [ParsedRecord.parse(record, check.protocol) for record in records(name).values()]
    assert [violation for record in parsed for violation in check.violations(record)] == []


def one(name: str, solution: str) -> tuple[dict[str, Any], dict[str, Any]]:
    [task] = [task for task in recorded(name) if task["data"]["solution_id"] == solution]
    return copy.deepcopy(task), copy.deepcopy(task["annotations"][0])


def choice(control: str, value: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "problem", "type": "choices", "value": {"choices": [value]}}


def test_ratings_left_over_from_before_a_step_was_called_wrong_are_dropped() -> None:
    task, annotation = one("sparse", "wrong")
    annotation["result"] += [choice("step2", "right.0.last"), choice("step0_alternative1", "right")]
    record = rated_record(task, annotation, USERS)
    assert record is not None and ratings(record) == [[0, None, None], [-1, -1], [None]]


def test_a_solution_that_was_not_finished_has_no_finish_reason() -> None:
    task, annotation = one("sparse", "right")
    annotation["result"] = [result for result in annotation["result"] if result["from_name"] != "step2"]
    record = rated_record(task, annotation, USERS)
    assert record is not None and record.label.finish_reason is None


def test_bad_problem_and_giving_up_are_the_reasons_why_it_ended() -> None:
    for reason in ("bad_problem", "give_up"):
        task, annotation = one("dense", "right")
        annotation["result"].append(choice("ending", reason))
        record = rated_record(task, annotation, USERS)
        assert record is not None and record.label.finish_reason == reason


def test_skipped_annotations_and_tasks_that_are_not_ours_give_no_record() -> None:
    task, annotation = one("dense", "right")
    assert rated_record(task, {**annotation, "was_cancelled": True}, USERS) is None
    assert rated_record({**task, "data": {"text": "somebody's own task"}}, annotation, USERS) is None


def test_the_labeller_is_named_by_address_and_by_number_where_it_is_not_known() -> None:
    task, annotation = one("dense", "right")
    names = []
    for who in (1, 7, {"id": 7, "email": "seven@example.com"}, None):
        record = rated_record(task, {**annotation, "completed_by": who}, USERS)
        names.append(record and record.labeler)
    assert names == ["lead@example.com", "label-studio:7", "seven@example.com", "label-studio:unknown"]


def test_a_correction_carries_the_moment_of_the_change() -> None:
    task, annotation = one("dense", "right")
    record = rated_record(task, {**annotation, "updated_at": "2027-01-01T00:00:00.000001Z"}, USERS)
    assert record is not None and record.timestamp == "2027-01-01T00:00:00.000001Z"


def test_a_choice_that_no_button_has_is_refused() -> None:
    task, annotation = one("dense", "right")
    annotation["result"].append(choice("step2", "maybe"))
    with pytest.raises(ValueError, match="'maybe' is not a choice of ours"):
        rated_record(task, {**annotation, "result": [choice("step0", "maybe")]}, USERS)
