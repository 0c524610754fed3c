"""Decides what of a submitted file is accepted: records of the round's selection, unchanged, that keep its protocol.

A file may hold anything: every line becomes a record, or a violation that says what is wrong with the line.
"""

from __future__ import annotations

import hashlib
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from o1_assets.core.formatting import printable
from o1_assets.labels.inbox.lines import named_solution, read_lines
from o1_assets.labels.inbox.tables import BatchTables, ParsedRecord
from o1_assets.labels.inbox.written import written_violations
from o1_assets.labels.protocol import Protocol, Violation, Writing
from o1_assets.labels.schema import REMEDIES, WITHDRAWN, Record, name_fault, parse_moment
from o1_assets.labels.selection import Selection

MAX_LISTED = 10_000
"""Violations of one file that are listed one by one; the others are counted."""
CLOCKS_DIFFER = timedelta(days=1)
"""How much later than now a rating may be: clocks go wrong, and times without a zone are taken as UTC."""
SMALL_BYTES = 32 << 20
"""A file up to this size is read twice: the solutions it names are a small part of a large selection."""


def solutions_named(path: Path) -> frozenset[str]:
    """Ids of the solutions that the records of a small file are about; at least those of the good lines."""
    lines = path.read_bytes().split(b"\n")
    named = (named_solution(line.removeprefix(BOM_UTF8)) for line in lines)
    return frozenset(name for name in named if name is not None)


@dataclass(frozen=True)
class SelectionCheck:
    """Compares records with one round's selection. A quality-control record only needs a labeller and a time."""

    selection: Selection
    round: str
    protocol: Protocol

    def violations(self, parsed: ParsedRecord) -> list[Violation]:
        """All that is wrong with a record; empty: accept it."""
        record = parsed.record
        violations = [*_signature(record), *_choices(record)]
        # Without a signature, or of another solution, what else is wrong with the record would only be noise. Gold and
        # screening problems may come from elsewhere; one that names a solution of the round is compared with it.
        if not violations and not record.is_quality_control:
            violations = list(_identity(record, self.selection, self.round)) or [
                *_changes(parsed, self.selection),
                *_ratings(parsed, self.protocol),
                *written_violations(parsed, self.protocol, self._writing(record)),
            ]
        elif not violations and not any(_identity(record, self.selection, self.round)):
            violations = list(_changes(parsed, self.selection))
        solution = printable(record.o1.solution_id) if record.o1 else None
        return [replace(violation, solution=solution) for violation in violations]

    def _writing(self, record: Record) -> Writing | None:
        """What the labeller was asked to write. By the selection, because a record may have been edited."""
        return self.selection.writing.get(record.o1.solution_id) if record.o1 else None

    def for_file(self, file: Path) -> SelectionCheck:
        """The same check; for a small file it reads only the solutions of the selection that the file names."""
        # One late batch is the common case, and reading a whole selection would take longer than the batch.
        if file.stat().st_size > SMALL_BYTES:
            return self
        return replace(self, selection=self.selection.restricted_to(solutions_named(file)))


def _signature(record: Record) -> Iterator[Violation]:
    if not record.labeler or not record.labeler.strip():
        yield Violation("no_labeler", "labeler is missing")
    elif fault := name_fault(record.labeler):
        message = f"labeler {printable(record.labeler)!r} {fault}; sign with a plain name"
        yield Violation("wrong_labeler", message)
    if not record.timestamp:
        yield Violation("no_timestamp", "timestamp is missing")
    # The latest rating of a labeller counts, so that one of the future could not be corrected before it has come.
    elif parse_moment(record.timestamp) > datetime.now(UTC) + CLOCKS_DIFFER:
        message = f"timestamp {printable(record.timestamp)} is in the future; write when it was rated"
        yield Violation("future_timestamp", message)


def _choices(record: Record) -> Iterator[Violation]:
    for number, step in enumerate(record.label.steps):
        count, chosen = len(step.completions or ()), step.chosen_completion
        if chosen is not None and chosen >= count:
            message = f"chosen_completion is {chosen} of {count} completions; {REMEDIES['chosen_completion']}"
            yield Violation("no_such_completion", message, step=number)


def _identity(record: Record, selection: Selection, round_name: str) -> Iterator[Violation]:
    if record.o1 is None:
        yield Violation("no_solution_id", "the field o1, which names the solution, is missing")
    elif record.o1.round != round_name:
        yield Violation("wrong_round", f"belongs to round {printable(record.o1.round)}, not {round_name}")
    elif record.o1.solution_id not in selection:
        yield Violation("unknown_solution", f"the selection of {round_name} has no such solution")


def _changes(parsed: ParsedRecord, selection: Selection) -> Iterator[Violation]:
    """Where the texts that came back are not those that were exported."""
    assert parsed.record.o1 is not None
    solution = parsed.record.o1.solution_id
    problem = selection.problem_of.get(solution)
    if problem is not None and parsed.record.question.problem != problem["question"]:
        yield Violation("changed_question", "the question is not the one that was exported")
    exported = selection.steps[solution]
    # Nearly every record is unchanged: one comparison of lists instead of one per text.
    if parsed.texts == exported:
        return
    if len(parsed.texts) != len(exported):
        yield Violation(
            "changed_steps", f"{len(parsed.texts)} steps came back, {len(exported)} were exported"
        )
    for step, (returned, originals) in enumerate(zip(parsed.texts, exported, strict=False)):
        if len(returned) != len(originals):
            message = f"{len(returned)} completions came back, {len(originals)} were exported"
            yield Violation("changed_completions", message, step=step)
        for completion, (text, original) in enumerate(zip(returned, originals, strict=False)):
            if text != original:
                message = "the text is not the one exported"
                yield Violation("changed_text", message, step=step, completion=completion)


def _ratings(parsed: ParsedRecord, protocol: Protocol) -> Iterator[Violation]:
    # Who gives a solution up need not have rated anything.
    is_withdrawn = parsed.record.label.finish_reason in WITHDRAWN
    if not is_withdrawn and all(rating is None for rating in parsed.ratings.values()):
        yield Violation("nothing_rated", "no completion is rated")
    yield from protocol.violations(parsed.shape, parsed.ratings, parsed.reached)


@dataclass
class IntakeResult:
    """What of a file was accepted (lines, their digest, whose, of which solutions, as tables) and what was refused.

    violations: the first MAX_LISTED; by_rule counts all of them.
    """

    tables: BatchTables
    lines: int = 0
    digest: str = ""
    solutions: set[str] = field(default_factory=set)
    labelers: set[str] = field(default_factory=set)
    refused: int = 0
    violations: list[Violation] = field(default_factory=list)
    by_rule: Counter[str] = field(default_factory=Counter)

    def refuse(self, violations: Sequence[Violation]) -> None:
        """Refuses one line (or file) with all its violations."""
        self.refused += 1
        self.by_rule.update(violation.rule for violation in violations)
        self.violations += violations[: max(0, MAX_LISTED - len(self.violations))]

    def refuse_all(self, violation: Violation) -> None:
        """Refuses all lines, good as they are."""
        self.refused += self.lines
        self.lines = 0
        self.by_rule[violation.rule] += 1
        self.violations = [violation, *self.violations][:MAX_LISTED]


def accept_good_lines(
    file: Path, good: Path, check: SelectionCheck, refused_lines: Mapping[int, Violation] | None = None
) -> IntakeResult:
    """Writes the lines of `file` that pass the check to `good`, byte for byte, and counts what is wrong with others.

    refused_lines: those that the sender refuses, by their number; they are not checked.
    Memory does not grow with the number of refused lines, nor with the length of a line.
    """
    result, is_empty, digest = IntakeResult(BatchTables()), True, hashlib.sha256()
    with good.open("wb") as accepted:
        for line in read_lines(file):
            is_empty = False
            violation = (refused_lines or {}).get(line.number, line.violation)
            if line.record is None or violation is not None:
                result.refuse([replace(violation, line=line.number)] if violation else [])
                continue
            parsed = ParsedRecord.parse(line.record, check.protocol)
            violations = check.violations(parsed)
            if violations:
                result.refuse([replace(violation, line=line.number) for violation in violations])
                continue
            # The bytes as sent: written anew, a record of another program would have another digest than its file.
            digest.update(line.raw + b"\n")
            accepted.write(line.raw + b"\n")
            result.lines += 1
            result.tables.add(parsed, result.lines)
            result.labelers.add(line.record.labeler or "")
            if line.record.o1:
                result.solutions.add(line.record.o1.solution_id)
    result.digest = digest.hexdigest()
    if is_empty:
        result.refuse([Violation("empty", "the file holds no records")])
    return result


def tables_of(batch: Path, protocol: Protocol) -> BatchTables:
    """The tables of an accepted batch, from its lines. Raises ValueError on a line that is no record."""
    tables = BatchTables()
    for number, line in enumerate(read_lines(batch), 1):
        if line.record is None:
            raise ValueError(f"{batch}: {line.violation}")
        tables.add(ParsedRecord.parse(line.record, protocol), number)
    return tables
