"""What is wrong with the steps that a labeller wrote: where they may stand, and what a step may be."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from o1_assets.engine.steps import is_blank
from o1_assets.labels.inbox.tables import ParsedRecord
from o1_assets.labels.protocol import Protocol, Violation, Writing, WrittenSteps

MOST_STEPS, MOST_CHARS = 64, 2000
"""Of one solution, and of one step. What is longer was not written by hand."""

_BREAKS = {"Cc", "Zl", "Zp"}
"""Unicode's categories of what ends a line or cannot be seen; the end of a line would end a step."""


def written_violations(
    parsed: ParsedRecord, protocol: Protocol, writing: Writing | None
) -> Iterator[Violation]:
    """writing: what was asked for of this solution. None: nothing, and then whatever is written counts nowhere."""
    steps, written = parsed.record.label.steps, parsed.written
    if written is None or writing is None:
        return
    if any(step.human_completion is not None for step in steps[written.step + len(written.texts) :]):
        yield Violation("written_gap", "written steps have to follow on each other", step=written.step)
    for number, step in enumerate(steps[written.step :], written.step):
        if step.human_completion is not None and step.chosen_completion is not None:
            message = (
                "a step is written, and a completion is chosen beside it; only one of them can be followed"
            )
            yield Violation("written_beside_choice", message, step=number)
    for number, text in enumerate(written.texts, written.step):
        if fault := step_fault(text):
            yield Violation(fault[0], f"the written step {fault[1]}", step=number)
    if len(written.texts) > MOST_STEPS:
        message = f"{len(written.texts)} steps were written, and {MOST_STEPS} are allowed"
        yield Violation("written_too_long", message, step=written.step)
    yield from _place_violations(parsed, protocol, writing, written)


def _place_violations(
    parsed: ParsedRecord, protocol: Protocol, writing: Writing, written: WrittenSteps
) -> Iterator[Violation]:
    place = protocol.writing_place(parsed.shape, parsed.ratings, writing)
    if place is None:
        good = "no completion of a step is good" if writing == "step" else "a step is wrong"
        message = f"a step may be written where {good}, once all that is asked for is rated"
        yield Violation("written_too_early", message, step=written.step)
    elif (written.step, written.chosen) not in {(place.step, c) for c in place.continues or (None,)}:
        message = f"the step to be written is number {place.step + 1}"
        if place.continues:
            good = " or ".join(map(str, place.continues))
            message += f", after the good alternative of the step before it (its chosen_completion is {good})"
        else:
            message += ", after the solution's steps before it (the chosen_completion of each is 0)"
        yield Violation("written_elsewhere", message, step=written.step)
    elif writing == "step" and len(written.texts) > 1:
        message = f"{len(written.texts)} steps were written, and one was asked for"
        yield Violation("written_too_much", message, step=written.step)


def step_fault(text: str) -> tuple[str, str] | None:
    """The rule that a text breaks as a step, and what is wrong with it; None: nothing."""
    if is_blank(text):
        return "written_blank", "is blank; write it, or leave human_completion null"
    if len(text) > MOST_CHARS:
        return "written_too_long", f"has {len(text)} characters, and {MOST_CHARS} are allowed"
    # Read again in training, it would be several steps, of which nobody said that they are right.
    if any(unicodedata.category(char) in _BREAKS for char in text):
        return "written_separator", "holds a line break or a control character; write one step on one line"
    return None
