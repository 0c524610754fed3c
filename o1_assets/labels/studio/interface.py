"""The labelling configuration of a project: XML that follows the round's protocol.

A step appears when the one before it was rated right or neutral. Its alternatives appear when it was rated wrong
(sparse) or rated at all (dense). How a task says what it has: tasks.py.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from o1_assets.labels.protocol import Phase, Protocol, Slot
from o1_assets.labels.studio.keys import title_of
from o1_assets.labels.studio.tasks import RATINGS, Size, choice_value, control_name

ENDING = "ending"


ENDINGS = (("Bad problem", "bad_problem", "-"), ("Give up", "give_up", "="))
"""Shown, finish_reason, key."""


STYLE = (Path(__file__).parent / "style.css").read_text()


def label_config(protocol: Protocol, size: Size) -> str:
    """XML for tasks of at most `size`."""
    root = ElementTree.Element("View", className="o1")
    ElementTree.SubElement(root, "Style").text = STYLE
    head = ElementTree.SubElement(root, "View", className="o1-head")
    ElementTree.SubElement(head, "Text", name="problem", value="$problem")
    ElementTree.SubElement(head, "Header", value="Right answer: $answer", size="5")
    steps = ElementTree.SubElement(
        root, "View", className="o1-steps", visibleWhen="choice-unselected", whenTagName=ENDING
    )
    for step in range(size.steps):
        _step(steps, protocol, size, step)
    foot = ElementTree.SubElement(root, "View", className="o1-foot")
    ending = ElementTree.SubElement(
        foot, "Choices", name=ENDING, toName="problem", choice="single", layout="inline"
    )
    for shown, alias, key in ENDINGS:
        ElementTree.SubElement(ending, "Choice", value=shown, alias=alias, hotkey=key)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _step(parent: ElementTree.Element, protocol: Protocol, size: Size, step: int) -> None:
    box = ElementTree.SubElement(parent, "View", className="o1-step")
    if step:
        goes_on = [
            choice_value(rating, count, last=False)
            for rating in RATINGS
            if rating.value is not None and rating.value >= 0
            for count in range(size.alternatives + 1)
        ]
        _show_when(box, Slot(step - 1, 0), goes_on)
    _slot(box, Slot(step, 0), "own")
    every = protocol.first is Phase.EVERY
    for number in range(1, size.alternatives + 1):
        allows = [
            choice_value(rating, count, last)
            for rating in RATINGS
            if every or (rating.value is not None and rating.value < 0)
            for count in range(number, size.alternatives + 1)
            for last in (False, True)
        ]
        view = _slot(box, Slot(step, number), f"alternative{number}")
        _show_when(view, Slot(step, 0), allows)


def _slot(parent: ElementTree.Element, slot: Slot, field: str) -> ElementTree.Element:
    kind = "o1-own" if slot.completion == 0 else "o1-alternative"
    view = ElementTree.SubElement(parent, "View", className=f"o1-slot {kind}")
    ElementTree.SubElement(view, "Header", value=title_of(slot), size="5")
    ElementTree.SubElement(view, "Header", value=f"${field}[{slot.step}].text", size="4")
    where = f"step {slot.step + 1}" + (f", alternative {slot.completion}" if slot.completion else "")
    ElementTree.SubElement(
        view,
        "Choices",
        name=control_name(slot),
        toName="problem",
        value=f"${field}[{slot.step}].choices",
        choice="single",
        layout="inline",
        required="true",
        requiredMessage=f"Please rate {where}, or say Unsure.",
    )
    return view


def _show_when(view: ElementTree.Element, slot: Slot, values: list[str]) -> None:
    view.set("visibleWhen", "choice-selected")
    view.set("whenTagName", control_name(slot))
    view.set("whenChoiceValue", ",".join(values))
