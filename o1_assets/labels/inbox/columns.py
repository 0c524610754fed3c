"""Rated records as two tables: a row a rating (`ratings.parquet`) and a row a record (`records.parquet`).

They are written once, when a batch is accepted. Labels are then made from columns: no batch is parsed twice.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.files import sha256
from o1_assets.labels.inbox.batch import RATINGS, RECORDS
from o1_assets.labels.protocol import Protocol, Slot
from o1_assets.labels.ratings import ratings_of
from o1_assets.labels.schema import Record
from o1_assets.labels.selection import content_of

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


def solution_id_of(record: Record) -> str:
    """The solution that a record is about; gold and screening problems from elsewhere are named by their content."""
    if record.o1 is not None:
        return record.o1.solution_id
    question = record.question
    own = question.pre_generated_steps or [
        step.completions[0].text for step in record.label.steps if step.completions
    ]
    return content_of([[question.problem], *([text] for text in own)])[:16]


@dataclass(frozen=True)
class Seen:
    """A record walked through once. texts: step -> completions. reached: what the protocol asks for, in order."""

    texts: list[list[str]]
    shape: list[int]
    ratings: dict[Slot, int | None]
    reached: list[Slot]

    @classmethod
    def of(cls, record: Record, protocol: Protocol) -> Seen:
        texts = [[item.text for item in step.completions or ()] for step in record.label.steps]
        shape, ratings = [len(part) for part in texts], ratings_of(record)
        return cls(texts, shape, ratings, list(protocol.reached(shape, ratings)))


class BatchTables:
    """Collects the accepted records of one batch, in the order of its lines."""

    def __init__(self) -> None:
        self._events: list[tuple[Any, ...]] = []
        self._records: list[tuple[Any, ...]] = []
        self._parts: tuple[list[pl.DataFrame], list[pl.DataFrame]] = ([], [])

    def add(self, record: Record, line: int, seen: Seen) -> None:
        gold, screening = record.is_quality_control_question, record.is_initial_screening_question
        solution, who, moment = solution_id_of(record), record.labeler, record.moment
        steps, ratings, not_rated = record.label.steps, seen.ratings, 0
        slots = seen.reached
        if gold or screening:
            # Of a check all that was rated counts, whatever the protocol; a null is unsure only where it asks.
            asked = set(slots)
            slots = [slot for slot in sorted(ratings) if ratings[slot] is not None or slot in asked]
        for slot in slots:
            step, completion = slot
            item = (steps[step].completions or ())[completion]
            if slot in ratings or item.flagged:
                self._events.append(
                    (
                        solution, step, completion, who, moment, None, line, item.rating, bool(item.flagged),
                        gold, screening,
                    )
                )  # fmt: skip
            else:
                not_rated += 1
        label = record.label
        self._records.append(
            (
                solution, who, moment, None, line, content_of(seen.texts), record.question.problem, label.finish_reason,
                not_rated, label.total_time, gold, screening,
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

    def write(self, folder: Path, batch: str) -> dict[str, str]:
        """Writes ratings.parquet and records.parquet; returns their SHA-256 by name. Raises OSError."""
        digests = {}
        for name, frame in zip((RATINGS, RECORDS), self.finish(batch), strict=True):
            buffer = io.BytesIO()  # a disk that is full is then an OSError as everywhere else
            frame.write_parquet(buffer, compression="zstd")
            (folder / name).write_bytes(buffer.getbuffer())
            digests[name] = sha256(folder / name)
        return digests

    def _flush(self) -> None:
        self._parts[0].append(pl.DataFrame(self._events, schema=EVENT, orient="row"))
        self._parts[1].append(pl.DataFrame(self._records, schema=RECORD, orient="row"))
        self._events.clear()
        self._records.clear()
