"""The PRM800K record: one labelled (or still to be labelled) solution, one JSON object a line.

It has the fields of the published files (Lightman et al. 2023, released data). Those that the files leave out in
phase 1 are optional, those that they set to null are nullable. Unknown fields are kept, and a field that was absent
stays absent when the record is written again. One field is ours, `o1`, which readers of PRM800K ignore: it says which
solution of which round the record is about.

msgspec parses and checks a hundred thousand records in seconds; nothing is coerced ("1" is no rating).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
from msgspec import Meta

from o1_assets.core.formatting import printable
from o1_assets.labels.protocol import Protocol, Ratings, Slot, Writing, WrittenSteps, slots

Rating = Literal[-1, 0, 1]
FinishReason = Literal["solution", "found_error", "bad_problem", "give_up"]

WITHDRAWN: tuple[FinishReason, ...] = ("bad_problem", "give_up")
"""Reasons by which a labeller takes back all ratings of a solution."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_YEAR = 2099

MAX_MILLISECONDS = 10**12
"""Thirty years, which nobody rates a solution for."""

# JSON's integers are unbounded, those of a table are not.
Number = Annotated[int, Meta(ge=0, lt=2**31)]
Generation = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
Milliseconds = (
    Annotated[int, Meta(ge=0, le=MAX_MILLISECONDS)] | Annotated[float, Meta(ge=0, le=MAX_MILLISECONDS)]
)

Score = Annotated[float, Meta(ge=0, le=1)]

MAX_NAME = 200

REMEDIES = {
    "chosen_completion": "write the completion's number, counted from 0, or null",
    "total_time": "write milliseconds, at most 10^12, or null",
    "generation": "leave it as it was exported",
    "timestamp": "write an ISO 8601 time such as 2026-01-31T12:00:00Z",
    "labeler": "write the labeller's name",
    "finish_reason": "write solution, found_error, bad_problem, give_up or null",
    "flagged": "write true, false or null",
    "steps": "leave the steps as they were exported",
    "completions": "leave the completions as they were exported",
    "human_completion": "write null, or the step that you wrote as its text, with rating null",
    "rating": "a step that a labeller wrote has no rating: write null",
}
"""What to write into a field, for whoever sent something else."""


# dict=True lets a record keep its source line beside its fields.
class _Part(msgspec.Struct, dict=True):
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()
    """Fields that are left out, not written as null, where they are None."""


class Completion(_Part):
    """One alternative for a step. rating null: not rated, or the labeller was unsure."""

    text: str
    rating: Rating | None
    flagged: bool | None = None


class HumanCompletion(_Part):
    """A step that a labeller wrote where no completion was good; it never has a rating."""

    text: str | None
    rating: None = None
    source: str | None = None
    flagged: bool | None = None


class Step(_Part):
    """completions: null where there is only a human completion. chosen_completion: the one continued from."""

    completions: list[Completion] | None
    human_completion: HumanCompletion | None = None
    chosen_completion: Number | None = None


class Label(_Part):
    """total_time in milliseconds. finish_reason null: labelling has not ended."""

    steps: list[Step]
    total_time: Milliseconds | None = None
    finish_reason: FinishReason | None = None


class RecordQuestion(_Part):
    """The pre_generated fields exist in phase 2 only."""

    OPTIONAL = frozenset(
        {
            "ground_truth_solution",
            "pre_generated_steps",
            "pre_generated_answer",
            "pre_generated_verifier_score",
        }
    )
    problem: str
    ground_truth_solution: str | None = None
    ground_truth_answer: str | None = None
    pre_generated_steps: list[str] | None = None
    pre_generated_answer: str | None = None
    pre_generated_verifier_score: Score | None = None


class Origin(_Part):
    """Where an exported record belongs. selection: digest of the round's selection.

    writing: what the labeller may write where a step went wrong; absent if nothing. note: what the labeller remarked.
    """

    OPTIONAL = frozenset({"writing", "note"})
    round: str
    solution_id: str
    selection: str
    protocol: Literal["dense", "sparse"]
    writing: Writing | None = None
    note: str | None = None


class Record(_Part):
    """generation: null in phase 1, -1 in screening, else 0 to 9. labeler and timestamp null: not rated yet."""

    OPTIONAL = frozenset({"o1"})
    labeler: str | None
    timestamp: str | None
    generation: Generation | None
    is_quality_control_question: bool
    is_initial_screening_question: bool
    question: RecordQuestion
    label: Label
    o1: Origin | None = None

    def __post_init__(self) -> None:
        # msgspec would take any string; a wrong timestamp should be refused with its line, not found a stage later.
        if self.timestamp is not None:
            parse_moment(self.timestamp)

    @property
    def is_quality_control(self) -> bool:
        return self.is_quality_control_question or self.is_initial_screening_question

    @property
    def moment(self) -> int:
        """The timestamp in microseconds since 1970. Raises ValueError on a record that was not rated yet."""
        if self.timestamp is None:
            raise ValueError("the record has no timestamp")
        return microseconds(self.timestamp)

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Raises ValueError (msgspec.DecodeError, UnicodeDecodeError) or RecursionError on anything else."""
        record = _DECODER.decode(line)
        record.source = line
        return record

    @cached_property
    def source(self) -> str | bytes | None:
        """The line that the record was read from, if it was: its unknown fields are written again as they were."""
        return None

    def to_line(self) -> str:
        """One line of JSON without its newline; fields in the order of PRM800K, non-ASCII escaped."""
        return json.dumps(_to_json(self, None if self.source is None else json.loads(self.source)))


_DECODER = msgspec.json.Decoder(Record)


def _to_json(part: Any, source: Any) -> Any:
    """JSON of a part. source: the JSON that it was read from, whose unknown fields are kept."""
    if isinstance(part, _Part):
        original = source if isinstance(source, dict) else None
        content = dict(original or {})
        for name in part.__struct_fields__:
            value = getattr(part, name)
            was_absent = name in part.OPTIONAL if original is None else name not in original
            if value is not None or not was_absent:
                content[name] = _to_json(value, (original or {}).get(name))
        return content
    if isinstance(part, list):
        # Where items were added or removed, it is not known which of the original ones belongs to which.
        is_parallel = isinstance(source, list) and len(source) == len(part)
        return [_to_json(item, source[i] if is_parallel else None) for i, item in enumerate(part)]
    return part


def parse_moment(timestamp: str) -> datetime:
    """An ISO 8601 timestamp; without a zone it is UTC, as in PRM800K. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(timestamp)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"timestamp {printable(timestamp)!r} is no time; {REMEDIES['timestamp']}") from error
    # The latest rating of a labeller counts, so one from the year 9999 could never be corrected.
    if not EPOCH.year <= moment.year <= LAST_YEAR:
        raise ValueError(f"timestamp {timestamp!r} is not between {EPOCH.year} and {LAST_YEAR}")
    return moment


def microseconds(timestamp: str) -> int:
    """A timestamp in microseconds since 1970. Raises ValueError."""
    return (parse_moment(timestamp) - EPOCH) // timedelta(microseconds=1)


def name_fault(name: str) -> str | None:
    """What makes a name unfit to tell labellers apart by; None: nothing."""
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, and {MAX_NAME} are allowed"
    # Two names that look the same would be two labellers.
    hidden = next((char for char in name if not char.isprintable()), None)
    if hidden is not None:
        return f"has the invisible character U+{ord(hidden):04X}"
    return "begins or ends with a space" if name != name.strip() else None


def ratings_of(record: Record) -> dict[Slot, int | None]:
    """The record's ratings. Where labelling has ended, a null means unsure; before, it means still to be rated."""
    # PRM800K has one value for "unsure" and "not rated"; whether labelling has ended tells them apart.
    has_ended = record.label.finish_reason is not None
    return {
        slot: item.rating
        for step, part in enumerate(record.label.steps)
        if part.completions
        for slot, item in zip(slots(step, 0, len(part.completions)), part.completions, strict=True)
        if item.rating is not None or has_ended
    }


def written_in(record: Record) -> WrittenSteps | None:
    """The steps that the labeller wrote, up to the first that they did not; None: there is none."""
    steps = record.label.steps
    first = next((i for i, step in enumerate(steps) if step.human_completion is not None), None)
    if first is None:
        return None
    texts = []
    for step in steps[first:]:
        if step.human_completion is None:
            break
        texts.append(step.human_completion.text or "")
    return WrittenSteps(first, steps[first - 1].chosen_completion or None if first else None, tuple(texts))


def fill(
    record: Record,
    ratings: Ratings,
    protocol: Protocol,
    labeler: str,
    timestamp: str,
    written: WrittenSteps | None = None,
) -> None:
    """Writes ratings into an unrated record, as the labelling interface of PRM800K would have.

    The solution's own step is the chosen completion unless it is negative. What the labeller wrote stands in the steps
    that it takes the place of, and in further ones, without completions, where it is longer than the solution was.
    """
    record.labeler, record.timestamp = labeler, timestamp
    has_error = False
    for step, part in enumerate(record.label.steps):
        for completion, item in enumerate(part.completions or []):
            item.rating = cast(Rating | None, ratings.get(Slot(step, completion)))
            item.flagged = False if item.rating is not None else None
        own_rating = ratings.get(Slot(step, 0))
        part.chosen_completion = 0 if own_rating is not None and own_rating >= 0 else None
        has_error = has_error or (own_rating is not None and own_rating < 0)
    shape = [len(part.completions or []) for part in record.label.steps]
    # A machine takes no time that would mean anything; Label Studio's time is written over it.
    record.label.total_time = 0
    if protocol.finished(shape, ratings):
        record.label.finish_reason = "found_error" if has_error else "solution"
    if written is None:
        return
    steps = record.label.steps
    if written.chosen is not None:
        steps[written.step - 1].chosen_completion = written.chosen
    steps += [Step(completions=None) for _ in range(written.step + len(written.texts) - len(steps))]
    for place, text in zip(steps[written.step :], written.texts, strict=False):
        place.human_completion = HumanCompletion(text=text, source="human", flagged=False)
    # Who was asked for the rest of the solution has written it to its end.
    if record.o1 is not None and record.o1.writing == "solution":
        record.label.finish_reason = "solution"
