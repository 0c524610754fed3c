"""The PRM800K record: one labelled (or still to be labelled) solution, one JSON object a line.

Field for field what the published files hold (Lightman et al. 2023, released data), with what they leave out
in phase 1 optional and what they set to null nullable. Fields that we do not know are kept, and a field that
was absent stays absent when the record is written again. Ours is one more field, `o1`, which readers of
PRM800K ignore: it says which solution of which round the record is about.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator

Rating = Annotated[int, Field(strict=True, ge=-1, le=1)]
FinishReason = Literal["solution", "found_error", "bad_problem", "give_up"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class Completion(_Part):
    """One alternative for a step. rating null: not rated, or the labeller was unsure."""

    text: StrictStr
    rating: Rating | None
    flagged: StrictBool | None = None


class HumanCompletion(_Part):
    """What a labeller wrote where no completion was good; it never has a rating."""

    text: StrictStr | None
    rating: None = None
    source: StrictStr | None = None
    flagged: StrictBool | None = None


class Step(_Part):
    """completions: null where there is only a human completion. chosen_completion: the one continued from."""

    completions: list[Completion] | None
    human_completion: HumanCompletion | None = None
    chosen_completion: StrictInt | None = None


class Label(_Part):
    """total_time in milliseconds. finish_reason null: labelling has not ended."""

    steps: list[Step]
    total_time: float | int | None = None
    finish_reason: FinishReason | None = None


class Question(_Part):
    """The pre_generated fields exist in phase 2 only."""

    problem: StrictStr
    ground_truth_solution: StrictStr | None = None
    ground_truth_answer: StrictStr | None = None
    pre_generated_steps: list[StrictStr] | None = None
    pre_generated_answer: StrictStr | None = None
    pre_generated_verifier_score: float | None = None


class Origin(_Part):
    """Where an exported record belongs. selection: digest of what the round sent to be rated."""

    round: StrictStr
    solution_id: StrictStr
    selection: StrictStr
    protocol: Literal["dense", "sparse"]


class Record(_Part):
    """generation: null in phase 1, -1 in screening, else the round. labeler and timestamp null: not rated yet."""

    labeler: StrictStr | None
    timestamp: StrictStr | None
    generation: StrictInt | None
    is_quality_control_question: StrictBool
    is_initial_screening_question: StrictBool
    question: Question
    label: Label
    o1: Origin | None = None

    @field_validator("timestamp")
    @classmethod
    def _is_a_moment(cls, value: str | None) -> str | None:
        if value is not None:
            parse_moment(value)
        return value

    @property
    def is_quality_control(self) -> bool:
        return self.is_quality_control_question or self.is_initial_screening_question

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Raises pydantic.ValidationError on anything that is not one record."""
        return cls.model_validate_json(line)

    def to_line(self) -> str:
        """One line of JSON without its newline; fields in the order of PRM800K, non-ASCII escaped."""
        return json.dumps(self.model_dump(exclude_unset=True))


def parse_moment(timestamp: str) -> datetime:
    """An ISO 8601 timestamp; without a zone it is UTC, as in PRM800K. Raises ValueError."""
    moment = datetime.fromisoformat(timestamp)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
