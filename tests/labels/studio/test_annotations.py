"""What people chose in the browser becomes the record that the inbox takes."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1_assets.labels.inbox.tables import ParsedRecord
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.annotations import UnusableAnnotation, rated_record
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


def test_the_labeller_is_who_the_server_says_saved_it() -> None:
    task, annotation = one("dense", "right")
    names = []
    for who in (1, 7, {"id": 1, "email": "forged@example.com"}):
        record = rated_record(task, {**annotation, "completed_by": who, "updated_by": who}, USERS)
        names.append(record and record.labeler)
    assert names == ["lead@example.com", "label-studio:7", "lead@example.com"]


def test_a_correction_carries_the_moment_of_the_change() -> None:
    task, annotation = one("dense", "right")
    record = rated_record(task, {**annotation, "updated_at": "2027-01-01T00:00:00.000001Z"}, USERS)
    assert record is not None and record.timestamp == "2027-01-01T00:00:00.000001Z"


def edited(**data: Any) -> dict[str, Any]:
    """The change of a task whose data somebody edited."""
    return {"task": data}


RIGHT = choice("step0", "right.1")
PARTS = [
    {"text": "3*4=13", "choices": []},
    {"text": "12-5=7", "choices": []},
    {"text": "answer 7", "choices": []},
]

DAMAGES: list[tuple[dict[str, Any], str]] = [
    ({"result": [choice("step0", "maybe")]}, "'maybe' is not a choice of ours"),
    ({"result": [choice("step0", "")]}, "'' is not a choice of ours"),
    ({"result": [choice("ending", "bored")]}, "'bored' is not an ending of ours"),
    ({"result": [choice("step9", "right")]}, "no 'step9'"),
    ({"result": [RIGHT, choice("step0", "wrong.1")]}, "more than one choice is given for step0"),
    ({"result": [{**RIGHT, "value": {"choices": ["right.1", "wrong.1"]}}]}, "more than one choice"),
    ({"result": None}, "Expected `array`, got `null`"),
    ({"result": "right"}, "Expected `array`, got `str`"),
    ({"result": ["right"]}, "Expected `object`, got `str`"),
    ({"result": []}, "nothing is chosen"),
    ({"result": [choice("step0_alternative1", "right")]}, "nothing is chosen"),
    ({"result": [{**RIGHT, "value": None}]}, "Expected `object`, got `null`"),
    ({"result": [{"from_name": "step0", "type": "choices"}]}, "missing required field `value`"),
    ({"result": [{"from_name": "step0", "value": {"choices": 1}}]}, "Expected `array`, got `int`"),
    ({"result": [{**RIGHT, "from_name": ["step0"]}]}, "Expected `str`, got `array`"),
    ({"updated_at": None}, "Expected `str`, got `null`"),
    ({"updated_at": 1764417600}, "Expected `str`, got `int`"),
    ({"updated_at": "yesterday"}, "timestamp 'yesterday' is no time"),
    ({"updated_at": ...}, "missing required field `updated_at`"),
    ({"updated_by": ...}, "missing required field `updated_by`"),
    ({"updated_by": None}, "does not know who saved it"),
    ({"completed_by": 2}, "signed by label-studio:2, but lead@example.com saved it"),
    ({"completed_by": None}, "signed by a deleted account, but lead@example.com saved it"),
    ({"completed_by": True}, "Expected `int | object | null`, got `bool`"),
    ({"completed_by": {"email": "lead@example.com"}}, "missing required field `id`"),
    (edited(record=...), "the record is missing"),
    (edited(record={"label": 1}), "the record is missing"),
    (edited(record='{"labeler": null'), "the record in its task's data is damaged"),
    (edited(record="[" * 100_000), "the record in its task's data is damaged"),
    (edited(own=PARTS), "shows other texts"),
    (edited(own=[]), "more steps or alternatives"),
    (edited(own=None), "own: Expected `array`"),
    (edited(alternative1=...), "more steps or alternatives"),
    (edited(problem="Calculate 2 * 2."), "shows other texts"),
    (edited(answer="8"), "shows other texts"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), DAMAGES)
def test_an_annotation_that_cannot_be_used_is_refused_with_its_reason(
    change: dict[str, Any], reason: str
) -> None:
    task, annotation = one("sparse", "right")
    for target, changes in ((task["data"], change.get("task", {})), (annotation, change)):
        for name, value in changes.items():
            target.pop(name, None) if value is ... else target.update({name: value})
    with pytest.raises(UnusableAnnotation, match=re.escape(reason)):
        rated_record(task, annotation, USERS)


@pytest.mark.parametrize(
    ("lead_time", "expected"),
    [(2.5, 2500), (None, None), (-3, None), (1e300, None), (float("nan"), None), ("7", None), (True, None)],
)
def test_a_time_that_cannot_be_true_is_unknown_and_the_ratings_count(
    lead_time: Any, expected: int | None
) -> None:
    task, annotation = one("dense", "right")
    record = rated_record(task, {**annotation, "lead_time": lead_time}, USERS)
    assert record is not None and record.label.total_time == expected


def test_what_a_lead_adds_to_the_page_is_left_alone() -> None:
    task, annotation = one("dense", "right")
    comment = {"from_name": "comment", "to_name": "problem", "type": "textarea", "value": {"text": ["hm"]}}
    record = rated_record(task, {**annotation, "result": [*annotation["result"], comment]}, USERS)
    assert record is not None and ratings(record) == [[1, -1], [1, -1, N], [1]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Every container within a JSON value, with each of its keys."""
    for name in list(part) if isinstance(part, dict) else range(len(part)):
        yield part, name
        if isinstance(part[name], dict | list):
            yield from places(part[name])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_stands_at_any_place_is_read_or_refused_and_raises_nothing_else(data: st.DataObject) -> None:
    task, annotation = one("sparse", "right")
    part, name = data.draw(st.sampled_from([*places(task), *places(annotation)]))
    part[name] = data.draw(JSON)
    with contextlib.suppress(UnusableAnnotation):
        rated_record(task, annotation, USERS)
