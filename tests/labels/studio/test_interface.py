"""The labelling configuration shows exactly what the protocol asks for, whatever a solution looks like."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1_assets.labels.export import export_selection
from o1_assets.labels.protocol import DENSE, SPARSE, Protocol, Slot
from o1_assets.labels.schema import Completion, Label, Origin, Record, RecordQuestion, Step
from o1_assets.labels.studio.push import STYLE, label_config
from o1_assets.labels.studio.tasks import (
    NO_KEY,
    RATINGS,
    Size,
    control_name,
    key_of,
    size_of,
    task_data,
    title_of,
)
from tests.labels import world

ROOM = Size(steps=6, alternatives=3)
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=6)


def record(shape: list[int]) -> Record:
    steps = [
        Step(completions=[Completion(text=f"{s}.{c}", rating=None) for c in range(count)])
        for s, count in enumerate(shape)
    ]
    return Record(
        labeler=None, timestamp=None, generation=1, is_quality_control_question=False,
        is_initial_screening_question=False, question=RecordQuestion(problem="p", ground_truth_answer="1"),
        label=Label(steps=steps), o1=Origin(round="r01", solution_id="s", selection="d", protocol="sparse"),
    )  # fmt: skip


class Page:
    """A task on screen, by the rules of Label Studio's visibleWhen. chosen: control -> value."""

    def __init__(self, protocol: Protocol, shape: list[int]) -> None:
        self.root = ElementTree.fromstring(label_config(protocol, ROOM))
        self.data = task_data(record(shape), ROOM)
        self.parent = {child: view for view in self.root.iter() for child in view}
        self.controls = {node.get("name"): node for node in self.root.iter("Choices")}
        self.chosen: dict[str, str] = {}

    def choices(self, control: str) -> list[dict[str, str]]:
        field, step = (
            self.controls[control].attrib["value"].removeprefix("$").removesuffix("].choices").split("[")
        )
        return self.data[field][int(step)]["choices"]

    def visible(self, node: ElementTree.Element) -> bool:
        if node in self.parent and not self.visible(self.parent[node]):
            return False
        when, tag = node.get("visibleWhen"), node.get("whenTagName", "")
        if when == "choice-unselected":
            return tag not in self.chosen
        if when == "choice-selected":
            values = node.attrib["whenChoiceValue"].split(",")
            return self.visible(self.controls[tag]) and self.chosen.get(tag) in values
        return True

    def shown(self) -> set[str]:
        """Controls that are visible and have buttons. Every visible one has: an empty one could not be submitted."""
        visible = {name for name, node in self.controls.items() if name != "ending" and self.visible(node)}
        assert all(self.choices(name) for name in visible), "a part that the task does not have is shown"
        return visible

    def rate(self, slot: Slot, row: int) -> None:
        self.chosen[control_name(slot)] = self.choices(control_name(slot))[row]["alias"]


@pytest.mark.parametrize("protocol", [DENSE, SPARSE], ids=["dense", "sparse"])
@given(shape=SHAPES, data=st.data())
def test_what_is_shown_is_what_the_protocol_asks_for(
    protocol: Protocol, shape: list[int], data: st.DataObject
) -> None:
    page = Page(protocol, shape)
    rated: dict[Slot, int | None] = {}
    while True:
        asked = list(protocol.reached(shape, rated))
        # Dense: alternatives are asked for with their step, and shown once it is rated.
        expected = {s for s in asked if s.completion == 0 or Slot(s.step, 0) in rated}
        assert page.shown() == {control_name(slot) for slot in expected}
        left = sorted(expected - rated.keys())
        if not left:
            break
        slot, row = data.draw(st.sampled_from(left)), data.draw(st.integers(0, 3))
        page.rate(slot, row)
        rated[slot] = RATINGS[row].value
    assert protocol.finished(shape, rated)


def test_changing_ones_mind_hides_what_came_after() -> None:
    page = Page(SPARSE, [2, 2, 1])
    page.rate(Slot(0, 0), 0)
    page.rate(Slot(1, 0), 2)
    assert page.shown() == {"step0", "step1", "step1_alternative1"}
    page.rate(Slot(0, 0), 3)
    assert page.shown() == {"step0"}


def test_who_says_bad_problem_is_asked_nothing_more() -> None:
    page = Page(DENSE, [2, 2])
    page.chosen["ending"] = "bad_problem"
    assert page.shown() == set()


@given(shape=SHAPES)
def test_no_two_choices_share_a_key_and_none_is_without(shape: list[int]) -> None:
    page = Page(DENSE, shape)
    keys = [choice["hotkey"] for name in page.controls if name != "ending" for choice in page.choices(name)]
    keys += [node.attrib["hotkey"] for node in page.root.iter("Choice")]
    assert all(keys) and len(set(keys)) == len(keys)


def test_keys_follow_column_and_row() -> None:
    assert [key_of(Slot(2, 0), row) for row in range(4)] == ["3", "e", "d", "c"]
    assert key_of(Slot(2, 1), 0) == "shift+3" and title_of(Slot(2, 1)) == "Shift"
    assert key_of(Slot(10, 0), 0) == NO_KEY and title_of(Slot(10, 1)) == "or"


def test_a_project_has_room_for_its_largest_solution_and_refuses_a_larger_one(tmp_path: Path) -> None:
    records = list(export_selection(world.load(tmp_path), "r03", DENSE))
    assert size_of(records) == Size(steps=3, alternatives=2)
    with pytest.raises(ValueError, match="more steps or alternatives"):
        task_data(records[0], Size(steps=2, alternatives=2))


def test_the_style_has_nothing_that_label_studio_escapes() -> None:
    assert not set("<>&") & set(STYLE)
