"""Rated records as two tables: a row a rating (`ratings.parquet`) and a row a record (`records.parquet`).

They are written once, when a batch is accepted. Labels are then made from columns: no batch is parsed twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from o1_assets.labels.protocol import Protocol
from o1_assets.labels.ratings import ratings_of
from o1_assets.labels.schema import Record

EVENT = {
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "labeler": pl.String, "moment": pl.Int64,
    "batch": pl.String, "line": pl.Int32, "rating": pl.Int8, "flagged": pl.Boolean,
    "quality_control": pl.Boolean, "screening": pl.Boolean,
}  # fmt: skip
"""One completion that a labeller looked at. moment: microseconds since 1970. line: in the batch, from 1.
rating null: unsure. quality_control, screening: a check of the labeller, never a label."""

RECORD = {
    "solution_id": pl.String, "labeler": pl.String, "moment": pl.Int64, "batch": pl.String, "line": pl.Int32,
    "content": pl.String, "question": pl.String, "finish_reason": pl.String, "not_rated": pl.Int32,
    "total_time": pl.Float64, "quality_control": pl.Boolean, "screening": pl.Boolean,
}  # fmt: skip
"""One solution that a labeller returned. content: digest of the completions that were shown. not_rated:
completions that the protocol still asks for. total_time in milliseconds."""

_CHUNK = 100_000


def content_of(steps: Iterable[Sequence[str]]) -> str:
    """32 hex digits over the texts of all completions of all steps, in order.

    `Selection.contents` computes the same thing for a whole selection at once.
    """
    text = "".join(
        f"{i}:{j}:{len(completion)}:{completion}"
        for i, step in enumerate(steps)
        for j, completion in enumerate(step)
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def solution_id_of(record: Record) -> str:
    """The solution that a record is about; gold and screening problems from elsewhere are named by their content."""
    if record.o1 is not None:
        return record.o1.solution_id
    question = record.question
    own = question.pre_generated_steps or [
        step.completions[0].text for step in record.label.steps if step.completions
    ]
    return content_of([[question.problem], *([text] for text in own)])[:16]


class BatchTables:
    """Collects the accepted records of one batch, in the order of its lines."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self._events: list[tuple[Any, ...]] = []
        self._records: list[tuple[Any, ...]] = []
        self._parts: tuple[list[pl.DataFrame], list[pl.DataFrame]] = ([], [])

    def add(self, record: Record, line: int, content: str) -> None:
        """content: of the record's steps, see `content_of`."""
        gold, screening = record.is_quality_control_question, record.is_initial_screening_question
        solution, who, moment = solution_id_of(record), record.labeler, record.moment
        steps = record.label.steps
        shape = [len(step.completions or ()) for step in steps]
        ratings, not_rated = ratings_of(record), 0
        for slot in sorted(ratings) if gold or screening else self.protocol.reached(shape, ratings):
            item = (steps[slot.step].completions or [])[slot.completion]
            flagged = bool(item.flagged)
            if slot in ratings or flagged:
                self._events.append(
                    (
                        solution, slot.step, slot.completion, who, moment, None, line, item.rating, flagged,
                        gold, screening,
                    )
                )  # fmt: skip
            else:
                not_rated += 1
        label = record.label
        self._records.append(
            (
                solution, who, moment, None, line, content, record.question.problem, label.finish_reason, not_rated,
                label.total_time, gold, screening,
            )
        )  # fmt: skip
        if len(self._events) > _CHUNK:
            self._flush()

    def finish(self, batch: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The columns of EVENT and of RECORD for the batch of this digest."""
        self._flush()
        ratings, records = (
            pl.concat(parts).with_columns(batch=pl.lit(batch, pl.String)) for parts in self._parts
        )
        return ratings, records

    def _flush(self) -> None:
        self._parts[0].append(pl.DataFrame(self._events, schema=EVENT, orient="row"))
        self._parts[1].append(pl.DataFrame(self._records, schema=RECORD, orient="row"))
        self._events.clear()
        self._records.clear()
