"""A round's selection into a Label Studio project: its labelling configuration, its instruction and its tasks.

The configuration is XML that follows the round's protocol. A step appears when the one before it was rated right or
neutral. Its alternatives appear when it was rated wrong (sparse) or rated at all (dense). Under a wrong step of a
solution that may be written in, a field for the right one appears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

from o1_assets.labels.protocol import DENSE, PROTOCOLS, Phase, Protocol, Slot, Writing, place_name
from o1_assets.labels.schema import FinishReason, Record
from o1_assets.labels.studio.client import LabelStudio
from o1_assets.labels.studio.tasks import (
    RATINGS,
    RatingChoice,
    Size,
    choice_value,
    control_name,
    find_projects,
    mark,
    size_of,
    task_data,
    title,
    title_of,
    writing_name,
)

BATCH = 500
"""Tasks per request. A request is one transaction of the server, so a push that was killed goes on where it stopped."""

ENDING = "ending"
ENDINGS: tuple[tuple[str, FinishReason, str], ...] = (
    ("Bad problem", "bad_problem", "-"), ("Give up", "give_up", "="),
)  # fmt: skip
"""Shown, finish_reason, key."""

WRONG = next(rating for rating in RATINGS if rating.value == -1)

STYLE = (Path(__file__).parent / "style.css").read_text()


@dataclass(frozen=True)
class PushReport:
    """url: the project's page. added: tasks sent now, of `solutions` in all."""

    project: int
    url: str
    created: bool
    added: int
    solutions: int


def push_records(
    studio: LabelStudio, profile: str, records: Sequence[Record], labelers: int = 1
) -> PushReport:
    """Makes the project of a round's exported records, or completes it. labelers: how many rate each solution.

    A second call adds nothing. Another selection of the same round gets a project of its own; labels of the old one
    are still pulled. Raises LabelStudioError; ValueError where there is nothing to label.
    """
    origins = [record.o1 for record in records if record.o1 is not None]
    if not origins:
        raise ValueError("there is no solution to label")
    screening = records[0].is_initial_screening_question
    name, protocol = origins[0].round, PROTOCOLS[origins[0].protocol]
    digest = origins[0].selection + ("-screening" if screening else "")
    size, writing = size_of(records), next((origin.writing for origin in origins if origin.writing), None)
    projects = [p for p in find_projects(studio, profile) if p.round == name and p.selection == digest]
    sent: set[str] = set()
    # What is there is asked of the server, not remembered: a push that was killed simply goes on.
    if projects:
        project = projects[0].id
        sent = {str(task["data"].get("solution_id")) for task in studio.tasks(project)}
    else:
        project = studio.create_project(
            title=title(profile, name) + (" · screening" if screening else ""),
            description=f"{len(records)} solutions, {protocol.name} labels.\n" + mark(profile, name, digest),
            label_config=label_config(protocol, size, writing),
            expert_instruction=instruction(protocol, writing),
            show_instruction=True,
            # A skipped task would never come back; "Give up" returns it with a reason.
            show_skip_button=False,
            enable_empty_annotation=False,
            maximum_annotations=labelers,
            sampling="Sequential sampling",
        )
    missing = (r for r in records if r.o1 is not None and r.o1.solution_id not in sent)
    added = 0
    while batch := [task_data(record, size) for record in islice(missing, BATCH)]:
        studio.import_tasks(project, batch)
        added += len(batch)
    return PushReport(project, f"{studio.url}/projects/{project}", not projects, added, len(records))


WHAT_TO_WRITE: dict[Writing, str] = {
    "step": "If neither the step nor an alternative is right or neutral, write the right step, in the form of these.",
    "solution": "Write the rest of the solution to its answer, one step a line, in the form of these steps. Go on from "
    "the first alternative that you rated right (else from the first neutral one); without any, begin with the right "
    "step in place of this one.",
}


def instruction(protocol: Protocol, writing: Writing | None = None) -> str:
    """What the labeller reads before the first task: HTML."""
    alternatives = (
        "Under each step are other ways to go on from the same place. Rate them too."
        if protocol is DENSE
        else "When a step is wrong, other ways to go on from the same place appear. Rate them too."
    )
    lines = [
        "Read the problem and its right answer, then rate the steps from the first one on.",
        "Right: correct, and brings the solution closer to the answer. Neutral: correct or harmless, but no help. "
        "Wrong: a mistake, or follows from none of what stands above. Unsure: you looked and cannot tell.",
        alternatives,
        "The solution ends for you at its first wrong step, or where you are unsure. Then submit: Ctrl + Enter.",
        "Keys: the column of the keyboard is the step, the row the rating. Step 1: 1 right, q neutral, a wrong, "
        "z unsure; step 2: 2, w, s, x; and so on. First alternative: the same with Shift; second: Alt; "
        "third: Alt + Shift.",
        *(
            [f"In some solutions a field appears under the wrong step. {WHAT_TO_WRITE[writing]}"]
            if writing
            else []
        ),
        "If the problem makes no sense, say Bad problem (-); if it is too hard, Give up (=).",
    ]
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def label_config(protocol: Protocol, size: Size, writing: Writing | None = None) -> str:
    """The labelling configuration, as XML, for tasks of at most `size`. writing: what is written in some of them."""
    root = ElementTree.Element("View", className="o1")
    ElementTree.SubElement(root, "Style").text = STYLE
    head = ElementTree.SubElement(root, "View", className="o1-head")
    ElementTree.SubElement(head, "Text", name="problem", value="$problem")
    ElementTree.SubElement(head, "Header", value="Right answer: $answer", size="5")
    steps = ElementTree.SubElement(
        root, "View", className="o1-steps", visibleWhen="choice-unselected", whenTagName=ENDING
    )
    for step in range(size.steps):
        _step(steps, protocol, size, step, writing)
    foot = ElementTree.SubElement(root, "View", className="o1-foot")
    ending = ElementTree.SubElement(
        foot, "Choices", name=ENDING, toName="problem", choice="single", layout="inline"
    )
    for shown, alias, key in ENDINGS:
        ElementTree.SubElement(ending, "Choice", value=shown, alias=alias, hotkey=key)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _step(
    parent: ElementTree.Element, protocol: Protocol, size: Size, step: int, writing: Writing | None
) -> None:
    box = ElementTree.SubElement(parent, "View", className="o1-step")
    if step:
        continues = [
            choice_value(rating, count, last=False)
            for rating in RATINGS
            if rating.value is not None and rating.value >= 0
            for count in range(size.alternatives + 1)
        ]
        _show_when(box, Slot(step - 1, 0), continues)
    _slot(box, Slot(step, 0), "own")
    is_dense = protocol.first is Phase.EVERY
    for number in range(1, size.alternatives + 1):
        ratings = [rating for rating in RATINGS if is_dense or rating is WRONG]
        counts = range(number, size.alternatives + 1)
        view = _slot(box, Slot(step, number), f"alternative{number}")
        _show_when(view, Slot(step, 0), _values(ratings, counts, (False, True) if writing else (False,)))
    if writing:
        view = ElementTree.SubElement(box, "View", className="o1-written")
        ElementTree.SubElement(view, "Header", value="Yours", size="5")
        ElementTree.SubElement(
            view,
            "TextArea",
            name=writing_name(step),
            toName="problem",
            placeholder=WHAT_TO_WRITE[writing],
            rows="1" if writing == "step" else "4",
            editable="true",
        )
        _show_when(view, Slot(step, 0), _values([WRONG], range(size.alternatives + 1), (True,)))


def _values(ratings: Sequence[RatingChoice], alternatives: range, write: Sequence[bool]) -> list[str]:
    """The values of a step's own choices with these ratings, numbers of alternatives and leaves to write."""
    return list(
        dict.fromkeys(
            choice_value(rating, count, last, may_write)
            for rating in ratings
            for count in alternatives
            for last in (False, True)
            for may_write in write
        )
    )


def _slot(parent: ElementTree.Element, slot: Slot, field: str) -> ElementTree.Element:
    kind = "o1-own" if slot.completion == 0 else "o1-alternative"
    view = ElementTree.SubElement(parent, "View", className=f"o1-slot {kind}")
    ElementTree.SubElement(view, "Header", value=title_of(slot), size="5")
    ElementTree.SubElement(view, "Header", value=f"${field}[{slot.step}].text", size="4")
    ElementTree.SubElement(
        view,
        "Choices",
        name=control_name(slot),
        toName="problem",
        value=f"${field}[{slot.step}].choices",
        choice="single",
        layout="inline",
        required="true",
        requiredMessage=f"Please rate {place_name(*slot)}, or say Unsure.",
    )
    return view


def _show_when(view: ElementTree.Element, slot: Slot, values: list[str]) -> None:
    view.set("visibleWhen", "choice-selected")
    view.set("whenTagName", control_name(slot))
    view.set("whenChoiceValue", ",".join(values))
