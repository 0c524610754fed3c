"""Rated records as two tables: a row per rating (`ratings.parquet`) and a row per record (`records.parquet`).

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
from o1_assets.labels.protocol import Protocol, Slot, WrittenSteps
from o1_assets.labels.schema import Record, ratings_of, written_in
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

MISFIT = {**RECORD, "misfit": pl.String}
"""misfit: why the record does not fit the selection of today, "" if it does."""

WRITTEN: dict[str, Any] = {"written_from": pl.Int32, "written_after": pl.Int32, "written": pl.List(pl.String)}
"""What the labeller wrote: the number of the first step, the alternative of the step before that it follows (null: the
own steps), the texts. A table of records has these columns only if one of its records has written steps: most rounds
ask for none."""


def with_written(records: pl.DataFrame) -> pl.DataFrame:
    """The records with the columns of WRITTEN, null where nobody wrote anything."""
    absent = [pl.lit(None, kind).alias(name) for name, kind in WRITTEN.items() if name not in records.columns]
    return records.with_columns(absent)


def without_unused(records: pl.DataFrame) -> pl.DataFrame:
    """The records without the columns of WRITTEN if all of them are null."""
    return records.drop(WRITTEN) if records["written"].null_count() == records.height else records


# Rows are collected as Python tuples, which are large: after this many they are turned into columns.
_ROWS_IN_PART = 100_000


def solution_id_of(record: Record) -> str:
    """The solution that a record is about; gold and screening problems from elsewhere are named by their content."""
    if record.o1 is not None:
        return record.o1.solution_id
    # In phase 2 the labellers of one solution stop at different steps; the sampled steps are the same for all.
    question = record.question
    own_steps = question.pre_generated_steps or [
        step.completions[0].text for step in record.label.steps if step.completions
    ]
    return content_of([[question.problem], *([text] for text in own_steps)])[:16]


@dataclass(frozen=True)
class ParsedRecord:
    """A record with what validation and the tables both need of it.

    texts: step -> completions. reached: the completions that the protocol asks for, in order. written: by the labeller.
    """

    record: Record
    texts: list[list[str]]
    shape: list[int]
    ratings: dict[Slot, int | None]
    reached: list[Slot]
    written: WrittenSteps | None

    @classmethod
    def parse(cls, record: Record, protocol: Protocol) -> ParsedRecord:
        steps = record.label.steps
        texts = [[item.text for item in step.completions or ()] for step in steps]
        # What a labeller wrote beyond the solution's last step is no part of what was sent out.
        while texts and not texts[-1] and steps[len(texts) - 1].human_completion is not None:
            del texts[-1]
        shape, ratings = [len(part) for part in texts], ratings_of(record)
        reached = list(protocol.reached(shape, ratings))
        return cls(record, texts, shape, ratings, reached, written_in(record))


class BatchTables:
    """Collects the accepted records of one batch, in the order of its lines."""

    def __init__(self) -> None:
        self._events: list[tuple[Any, ...]] = []
        self._records: list[tuple[Any, ...]] = []
        self._parts: tuple[list[pl.DataFrame], list[pl.DataFrame]] = ([], [])

    def add(self, parsed: ParsedRecord, line: int) -> None:
        """line: the record's line in the batch, from 1."""
        record, label = parsed.record, parsed.record.label
        gold, screening = record.is_quality_control_question, record.is_initial_screening_question
        solution, labeler, moment = solution_id_of(record), record.labeler, record.moment
        slots, not_rated = parsed.reached, 0
        if gold or screening:
            # In a check of a labeller every rating counts, whatever the protocol; a null means unsure only where
            # the protocol asks.
            asked = set(slots)
            slots = [
                slot for slot in sorted(parsed.ratings) if parsed.ratings[slot] is not None or slot in asked
            ]
        for slot in slots:
            step, completion = slot
            item = (label.steps[step].completions or ())[completion]
            # A flagged completion was looked at, even if it got no rating.
            if slot in parsed.ratings or item.flagged:
                self._events.append(
                    (solution, step, completion, labeler, moment, None, line, item.rating, bool(item.flagged),
                     gold, screening)
                )  # fmt: skip
            else:
                not_rated += 1
        self._records.append(
            (solution, labeler, moment, None, line, content_of(parsed.texts), record.question.problem,
             label.finish_reason, not_rated, label.total_time, gold, screening, *(parsed.written or (None, None, None)))
        )  # fmt: skip
        if len(self._events) > _ROWS_IN_PART:
            self._flush()

    def finish(self, batch: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The columns of EVENT and of RECORD for the batch of this digest; those of WRITTEN if anything was written."""
        self._flush()
        ratings, records = (
            pl.concat(parts).with_columns(batch=pl.lit(batch, pl.String)) for parts in self._parts
        )
        return ratings, without_unused(records)

    def write(self, folder: Path, batch: str) -> dict[str, str]:
        """Writes ratings.parquet and records.parquet; returns their SHA-256 by name. Raises OSError."""
        digests = {}
        for name, frame in zip((RATINGS, RECORDS), self.finish(batch), strict=True):
            # Polars reports a full disk by an exception of its own; written from here it is an OSError.
            buffer = io.BytesIO()
            frame.write_parquet(buffer, compression="zstd")
            (folder / name).write_bytes(buffer.getbuffer())
            digests[name] = sha256(folder / name)
        return digests

    def _flush(self) -> None:
        self._parts[0].append(pl.DataFrame(self._events, schema=EVENT, orient="row"))
        self._parts[1].append(pl.DataFrame(self._records, schema=RECORD | WRITTEN, orient="row"))
        self._events.clear()
        self._records.clear()
