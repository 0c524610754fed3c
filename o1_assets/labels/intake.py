"""What of a rated file is accepted: records of the round's selection, unchanged, that keep to its protocol."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from o1_assets.labels.events import BatchTables, Seen
from o1_assets.labels.jsonl import read_lines, solutions_named
from o1_assets.labels.protocol import DENSE, Protocol
from o1_assets.labels.schema import WITHDRAWN, Record
from o1_assets.labels.selection import Selection
from o1_assets.labels.violation import Violation

MAX_LISTED = 10_000
"""Things wrong with one file that are listed one by one; the others are counted."""
SMALL_BYTES = 32 << 20
"""A file up to this size is read twice: what it is about is a small part of a large selection."""
Check = Callable[[Record], list[Violation]]
"""All that is wrong with a record; empty: accept it."""


@dataclass(frozen=True)
class SelectionCheck:
    """The `Check` against one round's selection. Quality-control records need a labeller and a time only."""

    selection: Selection
    round: str
    protocol: Protocol

    def __call__(self, record: Record) -> list[Violation]:
        return self.examine(record, Seen.of(record, self.protocol))

    def examine(self, record: Record, seen: Seen) -> list[Violation]:
        """All that is wrong with a record that was walked through already."""
        found = list(_signature(record))
        if not record.is_quality_control and not found:
            found = list(_identity(record, self.selection, self.round)) or [
                *_changes(record, self.selection, seen.texts),
                *_ratings(record, self.protocol, seen),
            ]
        if not found:
            return []
        solution = record.o1.solution_id if record.o1 else None
        return [replace(violation, solution=solution) for violation in found]

    @property
    def digest(self) -> str:
        """Of the selection."""
        return self.selection.digest

    def of(self, sent: Path) -> SelectionCheck:
        """The same check; for a small file only what it is about is read of the selection."""
        if sent.stat().st_size > SMALL_BYTES:
            return self
        return replace(self, selection=self.selection.among(solutions_named(sent)))


@dataclass(frozen=True)
class FreeCheck:
    """A `Check` that knows no selection. What it lets pass is compared with the selection when labels are made."""

    check: Check
    protocol: Protocol = DENSE
    digest: str = ""

    def examine(self, record: Record, seen: Seen) -> list[Violation]:
        return [*_signature(record), *self.check(record)]

    def of(self, sent: Path) -> FreeCheck:
        return self


def _signature(record: Record) -> Iterator[Violation]:
    if not record.labeler:
        yield Violation("no_labeler", "labeler is missing")
    if not record.timestamp:
        yield Violation("no_timestamp", "timestamp is missing")


def _identity(record: Record, selection: Selection, round_name: str) -> Iterator[Violation]:
    if record.o1 is None:
        yield Violation("no_solution_id", "the field o1, which names the solution, is missing")
    elif record.o1.round != round_name:
        yield Violation("wrong_round", f"belongs to round {record.o1.round}, not {round_name}")
    elif record.o1.solution_id not in selection:
        yield Violation("unknown_solution", f"the selection of {round_name} has no such solution")


def _changes(record: Record, selection: Selection, shown: list[list[str]]) -> Iterator[Violation]:
    assert record.o1 is not None
    solution = record.o1.solution_id
    problem = selection.problem(solution)
    if problem is not None and record.question.problem != problem["question"]:
        yield Violation("changed_question", "the question is not the one that was exported")
    sent = selection.texts(solution)
    if shown == sent:
        return
    if len(shown) != len(sent):
        yield Violation("changed_steps", f"{len(shown)} steps came back, {len(sent)} were exported")
    for step, (back, texts) in enumerate(zip(shown, sent, strict=False)):
        if len(back) != len(texts):
            message = f"{len(back)} completions came back, {len(texts)} were exported"
            yield Violation("changed_completions", message, step=step)
        for completion, (text, original) in enumerate(zip(back, texts, strict=False)):
            if text != original:
                yield Violation(
                    "changed_text", "the text is not the one exported", step=step, completion=completion
                )


def _ratings(record: Record, protocol: Protocol, seen: Seen) -> Iterator[Violation]:
    gave_no_reason = record.label.finish_reason not in WITHDRAWN
    if gave_no_reason and not any(rating is not None for rating in seen.ratings.values()):
        yield Violation("nothing_rated", "no completion is rated")
    yield from protocol.violations(seen.shape, seen.ratings, seen.reached)


@dataclass
class Taken:
    """What of a file was accepted (lines, their digest, whose, of which solutions, as tables) and what was not.

    violations: the first MAX_LISTED things that are wrong; by_rule counts all of them.
    """

    tables: BatchTables
    lines: int = 0
    digest: str = ""
    solutions: set[str] = field(default_factory=set)
    labelers: set[str] = field(default_factory=set)
    refused: int = 0
    violations: list[Violation] = field(default_factory=list)
    by_rule: Counter[str] = field(default_factory=Counter)

    def refuse(self, found: Sequence[Violation]) -> None:
        """One line (or file) and all that is wrong with it."""
        self.refused += 1
        self.by_rule.update(violation.rule for violation in found)
        self.violations += found[: max(0, MAX_LISTED - len(self.violations))]

    def refuse_all(self, violation: Violation) -> None:
        """None of the lines is taken, good as they are."""
        self.refused += self.lines
        self.lines = 0
        self.by_rule[violation.rule] += 1
        self.violations = [violation, *self.violations][:MAX_LISTED]


def take_good_lines(sent: Path, good: Path, check: SelectionCheck | FreeCheck) -> Taken:
    """Writes the lines of `sent` that pass to `good`, byte for byte, and says what is wrong with the others.

    Memory does not grow with the lines that are refused, nor with the length of a line.
    """
    taken, empty, digest = Taken(BatchTables()), True, hashlib.sha256()
    with good.open("wb") as out:
        for line in read_lines(sent):
            empty = False
            if line.record is None:
                taken.refuse([line.violation] if line.violation else [])
                continue
            seen = Seen.of(line.record, check.protocol)
            found = check.examine(line.record, seen)
            if found:
                taken.refuse([replace(violation, line=line.number) for violation in found])
                continue
            written = line.raw + b"\n"
            digest.update(written)
            out.write(written)
            taken.lines += 1
            taken.tables.add(line.record, taken.lines, seen)
            taken.labelers.add(line.record.labeler or "")
            if line.record.o1:
                taken.solutions.add(line.record.o1.solution_id)
    taken.digest = digest.hexdigest()
    if empty:
        taken.refuse([Violation("empty", "the file holds no records")])
    return taken


def tables_of(batch: Path, protocol: Protocol) -> BatchTables:
    """The tables of an accepted batch, from its lines. Raises ValueError on a line that is no record."""
    tables = BatchTables()
    for number, line in enumerate(read_lines(batch), 1):
        if line.record is None:
            raise ValueError(f"{batch}: {line.violation}")
        tables.add(line.record, number, Seen.of(line.record, protocol))
    return tables
