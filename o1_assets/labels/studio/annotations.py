"""One annotation of Label Studio as the record that the inbox takes, or the reason why it cannot be one.

A server's answer may hold anything: other programs write to it, people edit its tasks, and versions differ. So an
annotation is checked field by field, and what is wrong with one concerns no other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import msgspec

from o1_assets.core.errors import O1Error
from o1_assets.labels.protocol import PROTOCOLS, Protocol, Ratings, Shape, Slot, Writing, WrittenSteps
from o1_assets.labels.schema import FinishReason, Record, fill, parse_moment
from o1_assets.labels.studio.push import ENDING, ENDINGS
from o1_assets.labels.studio.tasks import ALTERNATIVE, Size, control_name, rating_of, task_data, writing_name

T = TypeVar("T")

LONGEST_SECONDS = 30 * 24 * 3600
"""Nobody looks at one solution for longer; a greater lead_time was measured by a clock that was set meanwhile."""


class UnusableAnnotation(O1Error, ValueError):
    """The annotation cannot become a record; the message says why."""


class _User(msgspec.Struct):
    id: int


class _Annotation(msgspec.Struct):
    """completed_by: who signed it, which any client may write. updated_by: who saved it, written by the server."""

    id: int
    updated_at: str
    completed_by: int | _User | None
    updated_by: int | _User | None
    result: list[dict[str, Any]]
    lead_time: Any = None


class _Choices(msgspec.Struct):
    choices: list[str]


class _Choice(msgspec.Struct):
    from_name: str
    value: _Choices


class _Text(msgspec.Struct):
    text: list[str]


class _Writing(msgspec.Struct):
    from_name: str
    value: _Text


class _Part(msgspec.Struct):
    text: str


def rated_record(task: Any, annotation: Any, users: Mapping[int, str]) -> Record | None:
    """The task's record with the annotation's ratings; None if it was skipped or the task is somebody's own.

    users: e-mail address by user id. The labeller is who saved the annotation, by the server's own record; the
    timestamp is the time of that. Raises UnusableAnnotation.
    """
    data = task.get("data") if isinstance(task, Mapping) else None
    if isinstance(data, Mapping) and not data.keys() & {"record", "solution_id"}:
        return None
    if not isinstance(annotation, Mapping):
        raise UnusableAnnotation("it is not an object")
    if annotation.get("was_cancelled") is True:
        return None
    fields = _converted(annotation, _Annotation, "its fields")
    record = _shown_record(data)
    assert record.o1 is not None
    protocol = PROTOCOLS[record.o1.protocol]
    shape = [len(step.completions or []) for step in record.label.steps]
    controls = {
        control_name(slot): slot
        for step, count in enumerate(shape)
        for slot in (Slot(step, completion) for completion in range(count))
    }
    chosen = _chosen(fields.result, {*controls, ENDING})
    texts = _texts(fields.result, {writing_name(step): step for step in range(len(shape))})
    try:
        given = {slot: rating_of(chosen[name]) for name, slot in controls.items() if name in chosen}
        parse_moment(fields.updated_at)
    except ValueError as error:
        raise UnusableAnnotation(str(error)) from error
    # A rating that the protocol does not ask for was given before the labeller changed an earlier one.
    asked = set(protocol.reached(shape, given))
    ratings: Ratings = {slot: rating for slot, rating in given.items() if slot in asked}
    if not ratings and ENDING not in chosen:
        raise UnusableAnnotation("nothing is chosen in it")
    written = _written(texts, protocol, shape, ratings, record.o1.writing)
    fill(record, ratings, protocol, _labeler(fields, users), fields.updated_at, written)
    record.label.total_time = _milliseconds(fields.lead_time)
    if ENDING in chosen:
        record.label.finish_reason = _ending(chosen[ENDING])
    # An annotation of nothing but "unsure" could not be accepted as ratings.
    elif all(rating is None for rating in ratings.values()):
        record.label.finish_reason = "give_up"
    return record


def _converted(value: Any, kind: type[T], name: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UnusableAnnotation(f"{name}: {error}") from error


def _shown_record(data: Any) -> Record:
    """The record of a task, which the task's page really shows."""
    line = data.get("record") if isinstance(data, Mapping) else None
    if not isinstance(line, str):
        raise UnusableAnnotation("the record is missing from its task's data")
    try:
        record = Record.from_line(line)
    except (ValueError, RecursionError) as error:
        raise UnusableAnnotation(f"the record in its task's data is damaged: {error}") from error
    if record.o1 is None:
        raise UnusableAnnotation("the record in its task's data does not say which solution it is about")
    # Whoever edits a task can change what is shown or what is returned. Ratings of one text must not become another's.
    fields = ["own", *sorted(name for name in data if ALTERNATIVE.fullmatch(str(name)))]
    shown = {name: [part.text for part in _converted(data.get(name), list[_Part], name)] for name in fields}
    try:
        expected = task_data(record, Size(len(shown["own"]), len(fields) - 1))
    except ValueError as error:
        raise UnusableAnnotation(str(error)) from error
    texts = {name: [part["text"] for part in expected[name]] for name in fields if name in expected}
    if shown != texts or any(data.get(name) != expected[name] for name in ("problem", "answer")):
        raise UnusableAnnotation(
            "its task shows other texts than those that were sent out: its data was edited"
        )
    return record


def _chosen(results: list[dict[str, Any]], controls: Collection[str]) -> dict[str, str]:
    """The chosen value by the name of its control."""
    chosen: dict[str, str] = {}
    for result in results:
        name = result.get("from_name")
        # A lead may add fields to the page, such as a comment.
        if result.get("type") != "choices" and not (isinstance(name, str) and name in controls):
            continue
        choice = _converted(result, _Choice, f"its result for {name}")
        if choice.from_name not in controls:
            raise UnusableAnnotation(
                f"its task has no {choice.from_name!r}: another version of the page made it"
            )
        # A choice that was taken back leaves an empty list.
        for value in choice.value.choices:
            if chosen.setdefault(choice.from_name, value) != value:
                raise UnusableAnnotation(f"more than one choice is given for {choice.from_name}")
    return chosen


def _texts(results: list[dict[str, Any]], fields: Mapping[str, int]) -> dict[int, list[str]]:
    """The lines that were written where a step is wrong, by that step. fields: name -> step."""
    texts: dict[int, list[str]] = {}
    for result in results:
        name = result.get("from_name")
        if isinstance(name, str) and name in fields:
            written = _converted(result, _Writing, f"its result for {name}").value.text
            # A field may hold several submissions, and each of them several lines.
            lines = [line.strip() for text in written for line in text.split("\n")]
            texts.setdefault(fields[name], []).extend(line for line in lines if line)
    return texts


def _written(
    texts: Mapping[int, list[str]],
    protocol: Protocol,
    shape: Shape,
    ratings: Ratings,
    writing: Writing | None,
) -> WrittenSteps | None:
    """What counts of the texts: like a rating, a text that is not asked for was written before the labeller changed
    something above it."""
    place = protocol.writing_place(shape, ratings, writing) if writing else None
    if place is None:
        return None
    wrong = place.step - bool(place.continues)
    lines = tuple(texts.get(wrong, ()))
    return WrittenSteps(place.step, min(place.continues, default=None), lines) if lines else None


def _ending(value: str) -> FinishReason:
    for _, reason, _ in ENDINGS:
        if value == reason:
            return reason
    raise UnusableAnnotation(f"{value!r} is not an ending of ours")


def _labeler(annotation: _Annotation, users: Mapping[int, str]) -> str:
    signed, saved = (
        user.id if isinstance(user, _User) else user
        for user in (annotation.completed_by, annotation.updated_by)
    )
    if saved is None:
        raise UnusableAnnotation(
            "the server does not know who saved it: it was imported or copied, or the account was deleted"
        )
    if signed != saved:
        signer = "a deleted account" if signed is None else name_of(signed, users)
        raise UnusableAnnotation(
            f"it is signed by {signer}, but {name_of(saved, users)} saved it last; each can save one of their own"
        )
    return name_of(saved, users)


def name_of(user: int, users: Mapping[int, str]) -> str:
    """A user's e-mail address, or the number where the server knows none."""
    return users.get(user, f"label-studio:{user}")


def _milliseconds(lead_time: Any) -> int | None:
    """null where the browser measured nothing that can be true: the ratings are good all the same."""
    is_number = isinstance(lead_time, (int, float)) and not isinstance(lead_time, bool)
    return round(lead_time * 1000) if is_number and 0 <= lead_time <= LONGEST_SECONDS else None
