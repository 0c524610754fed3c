"""The PRM800K record: one labelled (or still to be labelled) solution, one JSON object a line.

Field for field what the published files hold (Lightman et al. 2023, released data), with what they leave out
in phase 1 optional and what they set to null nullable. Fields that we do not know are kept, and a field that
was absent stays absent when the record is written again. Ours is one more field, `o1`, which readers of
PRM800K ignore: it says which solution of which round the record is about.

msgspec parses and checks a hundred thousand of them in seconds; nothing is coerced ("1" is no rating).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal

import msgspec

Rating = Literal[-1, 0, 1]


FinishReason = Literal["solution", "found_error", "bad_problem", "give_up"]


WITHDRAWN: tuple[FinishReason, ...] = ("bad_problem", "give_up")
"""How a labeller says that nothing of a solution's ratings counts."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Part(msgspec.Struct, dict=True):
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()
    """Fields that are left out, not written as null, where they are None."""


class Completion(_Part):
    """One alternative for a step. rating null: not rated, or the labeller was unsure."""

    text: str
    rating: Rating | None
    flagged: bool | None = None


class HumanCompletion(_Part):
    """What a labeller wrote where no completion was good; it never has a rating."""

    text: str | None
    rating: None = None
    source: str | None = None
    flagged: bool | None = None


class Step(_Part):
    """completions: null where there is only a human completion. chosen_completion: the one continued from."""

    completions: list[Completion] | None
    human_completion: HumanCompletion | None = None
    chosen_completion: int | None = None


class Label(_Part):
    """total_time in milliseconds. finish_reason null: labelling has not ended."""

    steps: list[Step]
    total_time: float | int | None = None
    finish_reason: FinishReason | None = None


class Question(_Part):
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
    pre_generated_verifier_score: float | None = None


class Origin(_Part):
    """Where an exported record belongs. selection: digest of what the round sent to be rated."""

    round: str
    solution_id: str
    selection: str
    protocol: Literal["dense", "sparse"]


class Record(_Part):
    """generation: null in phase 1, -1 in screening, else 0 to 9. labeler and timestamp null: not rated yet."""

    OPTIONAL = frozenset({"o1"})
    labeler: str | None
    timestamp: str | None
    generation: int | None
    is_quality_control_question: bool
    is_initial_screening_question: bool
    question: Question
    label: Label
    o1: Origin | None = None

    def __post_init__(self) -> None:
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
        return (parse_moment(self.timestamp) - EPOCH) // timedelta(microseconds=1)

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Raises ValueError (msgspec.DecodeError, UnicodeDecodeError) or RecursionError on anything else."""
        record = _DECODER.decode(line)
        record.source = line
        return record

    @cached_property
    def source(self) -> str | bytes | None:
        """The line that it was read from, if it was: what we do not know of it is written again as it was."""
        return None

    def to_line(self) -> str:
        """One line of JSON without its newline; fields in the order of PRM800K, non-ASCII escaped."""
        return json.dumps(_written(self, None if self.source is None else json.loads(self.source)))


_DECODER = msgspec.json.Decoder(Record)


def _written(part: Any, source: Any) -> Any:
    """JSON of a part; source: the JSON that it was read from, whose unknown fields are kept."""
    if isinstance(part, _Part):
        known = source if isinstance(source, dict) else None
        written = dict(known or {})
        for name in part.__struct_fields__:
            value = getattr(part, name)
            absent = name in part.OPTIONAL if known is None else name not in known
            if value is not None or not absent:
                written[name] = _written(value, (known or {}).get(name))
        return written
    if isinstance(part, list):
        same = isinstance(source, list) and len(source) == len(part)
        return [_written(item, source[i] if same else None) for i, item in enumerate(part)]
    return part


def parse_moment(timestamp: str) -> datetime:
    """An ISO 8601 timestamp; without a zone it is UTC, as in PRM800K. Raises ValueError."""
    moment = datetime.fromisoformat(timestamp)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{timestamp!r} is out of range") from error
