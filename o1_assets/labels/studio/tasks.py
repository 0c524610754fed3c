"""An unrated record as the data of one Label Studio task.

    problem, answer                  what the labeller sees above the steps
    own[s]                           {text, choices} of step s
    alternative1[s], alternative2..  the same for its alternatives
    record                           the record itself, as one line: what comes back is this line, rated

One configuration serves all tasks of a project, however many steps and alternatives each has. So what a task
has is said by the values of its own choices, and the configuration shows a part when a value that allows it is
chosen: `right.2` means rated right, two alternatives, more steps to come; `right.2.last` that there are none.
Where a task has less than the configuration, its data holds a part without choices: without any data Label Studio
1.23 fails when the task is submitted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from o1_assets.labels.protocol import Slot
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.client import LabelStudio
from o1_assets.labels.studio.keys import key_of


class Rating(NamedTuple):
    """One of the buttons. value None: unsure."""

    word: str
    value: int | None


RATINGS = (Rating("right", 1), Rating("neutral", 0), Rating("wrong", -1), Rating("unsure", None))


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


def choice_value(rating: Rating, alternatives: int, last: bool) -> str:
    return f"{rating.word}.{alternatives}{'.last' if last else ''}"


def rating_of(value: str) -> int | None:
    """The rating that a chosen value stands for. Raises ValueError on a value that no button has."""
    word = value.split(".")[0]
    for rating in RATINGS:
        if rating.word == word:
            return rating.value
    raise ValueError(f"{value!r} is not a choice of ours")


def control_name(slot: Slot) -> str:
    return f"step{slot.step}" if slot.completion == 0 else f"step{slot.step}_alternative{slot.completion}"


def task_data(record: Record, size: Size) -> dict[str, Any]:
    """size: what the project's configuration has room for. Raises ValueError if the record needs more."""
    assert record.o1 is not None
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
            _part(Slot(step, completion), steps[step], step + 1 == len(steps))
            if step < len(steps) and completion < len(steps[step])
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


def _part(slot: Slot, texts: list[str], last: bool) -> dict[str, Any]:
    own = slot.completion == 0
    return {
        "text": texts[slot.completion],
        "choices": [
            {
                "value": rating.word.capitalize(),
                "alias": choice_value(rating, len(texts) - 1, last) if own else rating.word,
                "hotkey": key_of(slot, row),
            }
            for row, rating in enumerate(RATINGS)
        ],
    }


# Which Label Studio projects are ours: the last line of the description names profile, round and selection.

_MARK = re.compile(
    r"o1-assets:(?P<profile>[^:\s]+):(?P<round>r\d\d):(?P<selection>[0-9a-f]+(-screening)?)\s*\Z", re.ASCII
)


@dataclass(frozen=True)
class Project:
    """A project of ours. selection: digest of what it was made from; with -screening, what labellers begin with."""

    id: int
    profile: str
    round: str
    selection: str


def title(profile: str, round_name: str) -> str:
    return f"o1 {round_name} · {profile}"


def mark(profile: str, round_name: str, selection: str) -> str:
    return f"o1-assets:{profile}:{round_name}:{selection}"


def find_projects(studio: LabelStudio, profile: str) -> Iterator[Project]:
    """All projects of a profile, whatever selection they were made from. Raises LabelStudioError."""
    for row in studio.projects():
        found = _MARK.search(row.get("description") or "")
        if found and found["profile"] == profile:
            yield Project(int(row["id"]), profile, found["round"], found["selection"])
