"""An unrated record as the data of one Label Studio task, its keys, and the projects that are ours.

    problem, answer                  what the labeller sees above the steps
    own[s]                           {text, choices} of step s
    alternative1[s], alternative2..  the same for its alternatives
    record                           the record itself, as one line: what comes back is this line, rated

One configuration serves all tasks of a project, however many steps and alternatives each has. So the values of a
task's own choices say what the task has, and the configuration shows a part when a value that allows it is chosen:
`right.2` means rated right, two alternatives, more steps to come; `right.2.last` that there are none.
`wrong.2.write` lets the labeller write what is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from o1_assets.labels.protocol import Slot
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.client import LabelStudio

# Label Studio binds a key to a choice of the whole page, so the same keys cannot serve every step. The column of the
# keyboard is the step, the row the rating: step 3 is rated right with 3, neutral with e, wrong with d, unsure with c,
# and its first alternative with the same keys and Shift.
ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
"""Right, neutral, wrong, unsure."""
MODIFIERS = ("", "shift+", "alt+", "alt+shift+")
"""The step itself, its first alternative, its second, its third."""
NO_KEY = " "
"""A key that nothing sends: Label Studio would give a key to a choice without any."""


def key_of(slot: Slot, row: int) -> str:
    """row: 0 right, 1 neutral, 2 wrong, 3 unsure."""
    if slot.step < len(ROWS[row]) and slot.completion < len(MODIFIERS):
        return MODIFIERS[slot.completion] + ROWS[row][slot.step]
    return NO_KEY


def title_of(slot: Slot) -> str:
    """The heading of a completion: the step's number, or how an alternative's keys differ from the step's."""
    if slot.completion == 0:
        return f"Step {slot.step + 1}"
    has_keys = key_of(slot, 0) != NO_KEY
    return MODIFIERS[slot.completion].title().replace("+", " ").strip() if has_keys else "or"


ALTERNATIVE = re.compile(r"alternative\d+")
"""The fields of a task's data with the alternatives of its steps."""


class RatingChoice(NamedTuple):
    """One of the buttons. value None: unsure."""

    word: str
    value: int | None


RATINGS = (
    RatingChoice("right", 1), RatingChoice("neutral", 0), RatingChoice("wrong", -1), RatingChoice("unsure", None),
)  # fmt: skip


class Size(NamedTuple):
    """The most steps, and the most alternatives of a step, that a configuration has room for."""

    steps: int
    alternatives: int


def size_of(records: Sequence[Record]) -> Size:
    shapes = [[len(step.completions or []) for step in record.label.steps] for record in records]
    return Size(
        max((len(shape) for shape in shapes), default=0),
        max((count - 1 for shape in shapes for count in shape), default=0),
    )


def choice_value(rating: RatingChoice, alternatives: int, last: bool, write: bool = False) -> str:
    write = write and rating.value == -1
    return f"{rating.word}.{alternatives}{'.last' if last else ''}{'.write' if write else ''}"


def rating_of(value: str) -> int | None:
    """The rating that a chosen value stands for. Raises ValueError on a value that no button has."""
    word = value.split(".")[0]
    for rating in RATINGS:
        if rating.word == word:
            return rating.value
    raise ValueError(f"{value!r} is not a choice of ours")


def control_name(slot: Slot) -> str:
    return f"step{slot.step}" if slot.completion == 0 else f"step{slot.step}_alternative{slot.completion}"


def writing_name(step: int) -> str:
    """The name of the field to write in where this step is wrong."""
    return f"step{step}_written"


def task_data(record: Record, size: Size) -> dict[str, Any]:
    """size: what the project's configuration has room for. Raises ValueError if the record needs more."""
    assert record.o1 is not None
    write = record.o1.writing is not None
    steps = [[item.text for item in step.completions or []] for step in record.label.steps]
    if len(steps) > size.steps or max(map(len, steps), default=0) > size.alternatives + 1:
        raise ValueError(f"solution {record.o1.solution_id} has more steps or alternatives than its project")
    fields = ["own", *(f"alternative{number}" for number in range(1, size.alternatives + 1))]
    data: dict[str, Any] = {
        "problem": record.question.problem,
        "answer": record.question.ground_truth_answer or "",
    }
    for completion, field in enumerate(fields):
        data[field] = [
            _part(Slot(step, completion), steps[step], step + 1 == len(steps), write)
            if step < len(steps) and completion < len(steps[step])
            # Without any data Label Studio 1.23 fails when the task is submitted.
            else {"text": "", "choices": []}
            for step in range(size.steps)
        ]
    return {
        **data,
        "round": record.o1.round,
        "solution_id": record.o1.solution_id,
        "selection": record.o1.selection,
        "record": record.to_line(),
    }


def _part(slot: Slot, texts: list[str], last: bool, write: bool) -> dict[str, Any]:
    is_own_step = slot.completion == 0
    return {
        "text": texts[slot.completion],
        "choices": [
            {
                "value": rating.word.capitalize(),
                "alias": choice_value(rating, len(texts) - 1, last, write) if is_own_step else rating.word,
                "hotkey": key_of(slot, row),
            }
            for row, rating in enumerate(RATINGS)
        ],
    }


# The last line of a project's description names profile, round and selection. It marks the projects that are ours.
_MARK = re.compile(
    r"o1-assets:(?P<profile>[^:\s]+):(?P<round>r\d\d):(?P<selection>[0-9a-f]+(-screening)?)\s*\Z", re.ASCII
)


@dataclass(frozen=True)
class StudioProject:
    """A project of ours. selection: digest of its selection; with -screening, for its screening solutions."""

    id: int
    profile: str
    round: str
    selection: str


def title(profile: str, round_name: str) -> str:
    return f"o1 {round_name} · {profile}"


def mark(profile: str, round_name: str, selection: str) -> str:
    return f"o1-assets:{profile}:{round_name}:{selection}"


def find_projects(studio: LabelStudio, profile: str) -> Iterator[StudioProject]:
    """All projects of a profile, whatever selection they were made from. Raises LabelStudioError."""
    for row in studio.projects():
        match = _MARK.search(str(row.get("description")))
        if match and match["profile"] == profile:
            yield StudioProject(int(row["id"]), profile, match["round"], match["selection"])
