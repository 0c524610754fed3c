"""What labellers have sent of a round before: so that of two ratings nobody has to guess which corrects the other.

The latest rating of a labeller counts. Two different ones of the same moment have no latest, so the second is refused
with a sentence. Batches that the page and Label Studio send have the moment of each act, and are not compared.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from o1_assets.core.files import sha256
from o1_assets.core.formatting import printable
from o1_assets.labels.inbox.lines import ParsedLine, parse_line, raw_lines
from o1_assets.labels.inbox.reader import PEOPLE, BatchReader
from o1_assets.labels.inbox.tables import ParsedRecord
from o1_assets.labels.protocol import Protocol, Slot, Violation
from o1_assets.labels.schema import EPOCH, WITHDRAWN, microseconds


class Signed(NamedTuple):
    """Who rated which solution, and when (microseconds since 1970)."""

    labeler: str
    solution: str
    moment: int


@dataclass(frozen=True)
class EarlierRecord:
    """A record that was sent before. batch: its digest; "" for an earlier line of the same file. counts: whether the
    batch is accepted, and not withdrawn. given_up: no rating of the record counts."""

    signed: Signed
    batch: str
    counts: bool
    given_up: bool
    ratings: Mapping[Slot, int | None]

    @property
    def rated(self) -> dict[Slot, int]:
        """The ratings, without those of completions of which the labeller was unsure."""
        return {slot: rating for slot, rating in self.ratings.items() if rating is not None}

    def difference(self, other: EarlierRecord) -> Slot | None:
        """The first completion that the two rate differently; None if there is none."""
        both = sorted(self.ratings.keys() & other.ratings.keys())
        return next((slot for slot in both if self.ratings[slot] != other.ratings[slot]), None)


class Earlier:
    """The records of people's batches of a round, accepted or withdrawn; a damaged batch has none."""

    def __init__(self, reader: BatchReader, round_name: str) -> None:
        self.reader, self.round = reader, round_name

    def holds(self, digest: str) -> bool:
        """Whether there is a batch of this digest, accepted or withdrawn."""
        return digest in self.reader.names(self.round) or digest in self.reader.withdrawn(self.round)

    def records(
        self, solutions: Collection[str], only: Collection[Signed] | None = None, labeler: str | None = None
    ) -> list[EarlierRecord]:
        """Those of some solutions. only: of these, the ones that are signed so. labeler: whose alone."""
        return [record for batch in self._tables(solutions, labeler) for record in _records(*batch, only)]

    def signed(self, solutions: Collection[str]) -> set[Signed]:
        """Who signed records of some solutions, and when; of accepted batches."""
        columns = pl.col("labeler", "solution_id", "moment")
        return {
            Signed(*row)
            for _, records, counts, _ in self._tables(solutions)
            if counts
            for row in records.select(columns).iter_rows()
        }

    def _tables(
        self, solutions: Collection[str], labeler: str | None = None
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, bool, str]]:
        """Of each batch that has any of them: ratings, records, whether it counts, its digest."""
        wanted = set(solutions)
        accepted = self.reader.accepted(self.round, PEOPLE)
        for digest in (*accepted, *self.reader.withdrawn(self.round)):
            # A withdrawn one may be damaged.
            try:
                if wanted.isdisjoint(self.reader.solutions(self.round, digest)):
                    continue
                tables = self.reader.tables(self.round, digest)
            except (ValueError, OSError):
                continue
            is_wanted = pl.col("solution_id").is_in(list(wanted))
            if labeler is not None:
                is_wanted &= pl.col("labeler") == labeler
            ratings, records = (table.filter(is_wanted) for table in tables)
            yield ratings, records, digest in accepted, digest


def _records(
    ratings: pl.DataFrame, records: pl.DataFrame, counts: bool, digest: str, only: Collection[Signed] | None
) -> Iterator[EarlierRecord]:
    by_line: dict[int, dict[Slot, int | None]] = {}
    for line, step, completion, rating in ratings.select("line", "step", "completion", "rating").iter_rows():
        by_line.setdefault(line, {})[Slot(step, completion)] = rating
    columns = ("labeler", "solution_id", "moment", "line", "finish_reason")
    for labeler, solution, moment, line, reason in records.select(columns).iter_rows():
        signed = Signed(labeler, solution, moment)
        if only is None or signed in only:
            yield EarlierRecord(signed, digest, counts, reason in WITHDRAWN, by_line.get(line, {}))


class _Origin(msgspec.Struct):
    solution_id: str


class _Signature(msgspec.Struct):
    labeler: str
    timestamp: str
    o1: _Origin


_DECODER = msgspec.json.Decoder(_Signature)


def ties(file: Path, protocol: Protocol, earlier: Earlier) -> dict[int, Violation]:
    """The lines of a file with another rating than its labeller gave at the same moment, before or further up."""
    if earlier.holds(sha256(file)):
        return {}
    seen, again = set[Signed](), set[Signed]()
    for line in raw_lines(file):
        if signed := _signed(line):
            (again if signed in seen else seen).add(signed)
    again |= seen & earlier.signed({signed.solution for signed in seen})
    if not again:
        return {}
    before: dict[Signed, list[EarlierRecord]] = {}
    for known in earlier.records({signed.solution for signed in again}, again):
        if known.counts:
            before.setdefault(known.signed, []).append(known)
    refused: dict[int, Violation] = {}
    for line in raw_lines(file):
        signed = _signed(line)
        if (
            signed is None
            or signed not in again
            or (record := parse_line(line.number, line.raw).record) is None
        ):
            continue
        parsed = ParsedRecord.parse(record, protocol)
        ratings = {slot: parsed.ratings[slot] for slot in parsed.reached if slot in parsed.ratings}
        new = EarlierRecord(signed, "", True, record.label.finish_reason in WITHDRAWN, ratings)
        for other in before.setdefault(signed, []):
            slot = new.difference(other)
            if slot is not None or new.given_up != other.given_up:
                refused[line.number] = _tie(new, other, slot)
                break
        else:
            before[signed].append(new)
    return refused


def _signed(line: ParsedLine) -> Signed | None:
    """Who signed the line, and when; None if it does not say it, for which it is refused elsewhere."""
    try:
        signature = _DECODER.decode(line.raw)
        return Signed(
            sys.intern(signature.labeler), signature.o1.solution_id, microseconds(signature.timestamp)
        )
    except (ValueError, RecursionError):
        return None


def _tie(new: EarlierRecord, other: EarlierRecord, slot: Slot | None) -> Violation:
    where = f"batch {other.batch[:12]}" if other.batch else "an earlier line of what was sent"
    message = (
        f"{printable(new.signed.labeler)} says otherwise at the same time ({at(new.signed.moment)}) in {where}, so "
        "that neither corrects the other; give the one that counts a later timestamp and send it again"
    )
    step, completion = slot or (None, None)
    return Violation("same_moment", message, 0, printable(new.signed.solution), step, completion)


def at(moment: int) -> str:
    """A moment in microseconds since 1970 as a timestamp."""
    return (EPOCH + timedelta(microseconds=moment)).isoformat()
