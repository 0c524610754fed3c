"""Decides what of a submitted file is accepted: records of the round's selection, unchanged, that keep its protocol.

A file may hold anything: every line becomes a record, or a violation that says what is wrong with the line.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from o1_assets.core.files import NotAFile, append
from o1_assets.labels.inbox.tables import BatchTables, ParsedRecord
from o1_assets.labels.protocol import Protocol, Violation
from o1_assets.labels.schema import WITHDRAWN, Record
from o1_assets.labels.selection import Selection

MAX_LINE_BYTES = 1 << 24
"""PRM800K's longest line is far below; a longer one is skipped without being held in memory."""
MAX_LISTED = 10_000
"""Violations of one file that are listed one by one; the others are counted."""
SMALL_BYTES = 32 << 20
"""A file up to this size is read twice: the solutions it names are a small part of a large selection."""

# msgspec names the place at the end of its message, such as "... - at `$.label.steps[2].completions[0].rating`".
_PLACE = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_STEP_AND_COMPLETION = re.compile(r"\.steps\[(\d+)\](?:\.completions\[(\d+)\])?")


@dataclass(frozen=True)
class ParsedLine:
    """number counts from 1. raw: the bytes without the line ending (their beginning only, if too long)."""

    number: int
    raw: bytes
    record: Record | None = None
    violation: Violation | None = None


def read_lines(path: Path) -> Iterator[ParsedLine]:
    """The file's lines, blank ones left out. Raises OSError only."""
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                beginning = raw[:200]
                # The 16 MiB are freed before the rest of the line is read.
                del raw
                _skip_line(file)
                message = f"longer than {MAX_LINE_BYTES} bytes"
                yield ParsedLine(number, beginning, violation=Violation("line_too_long", message, number))
            elif stripped := (raw.removeprefix(BOM_UTF8) if number == 1 else raw).strip():
                yield parse_line(number, stripped)


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(1 << 20)) and not rest.endswith(b"\n"):
        pass


def parse_line(number: int, raw: bytes) -> ParsedLine:
    """One line as a record, or as what is wrong: `not_utf8`, `not_json`, `wrong_rating` or `wrong_schema`."""
    # msgspec does not say where a line stops being UTF-8.
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return ParsedLine(
            number, raw, violation=Violation("not_utf8", f"not UTF-8 at byte {error.start}", number)
        )
    try:
        return ParsedLine(number, raw, record=Record.from_line(raw))
    except (ValueError, RecursionError) as error:
        return ParsedLine(number, raw, violation=_schema_violation(number, raw, str(error)))


def _schema_violation(number: int, raw: bytes, message: str) -> Violation:
    """message: msgspec's, for a line that it could not read as a record."""
    try:
        msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        return Violation("not_json", str(error), number)
    place = _PLACE.search(message)
    where, text = place[1].lstrip(".") if place else "", _PLACE.sub("", message)
    match = _STEP_AND_COMPLETION.search(where)
    step, completion = (None if at is None else int(at) for at in match.groups()) if match else (None, None)
    rule, message = "wrong_schema", f"{where or 'the line'}: {text}"
    if completion is not None and where.endswith(".rating"):
        rule, message = "wrong_rating", f"a rating is -1, 0, 1 or null ({where}: {text})"
    return Violation(rule, message, number, _named_solution(raw), step, completion)


class _OriginOnly(msgspec.Struct):
    solution_id: str


class _RecordWithOrigin(msgspec.Struct):
    o1: _OriginOnly


_ORIGIN_DECODER = msgspec.json.Decoder(_RecordWithOrigin)


def _named_solution(raw: bytes) -> str | None:
    with suppress(ValueError, RecursionError):
        return _ORIGIN_DECODER.decode(raw).o1.solution_id
    return None


def solutions_named(path: Path) -> frozenset[str]:
    """Ids of the solutions that the records of a small file are about; at least those of the good lines."""
    lines = path.read_bytes().removeprefix(BOM_UTF8).split(b"\n")
    return frozenset(name for line in lines if (name := _named_solution(line)) is not None)


@dataclass(frozen=True)
class SelectionCheck:
    """Compares records with one round's selection. A quality-control record only needs a labeller and a time."""

    selection: Selection
    round: str
    protocol: Protocol

    def violations(self, parsed: ParsedRecord) -> list[Violation]:
        """All that is wrong with a record; empty: accept it."""
        record = parsed.record
        violations = list(_signature(record))
        # Without a signature, or of another solution, what else is wrong with the record would only be noise. Gold and
        # screening problems may come from elsewhere, so they are not compared with the selection.
        if not record.is_quality_control and not violations:
            violations = list(_identity(record, self.selection, self.round)) or [
                *_changes(parsed, self.selection),
                *_ratings(parsed, self.protocol),
            ]
        solution = record.o1.solution_id if record.o1 else None
        return [replace(violation, solution=solution) for violation in violations]

    def for_file(self, file: Path) -> SelectionCheck:
        """The same check; for a small file it reads only the solutions of the selection that the file names."""
        # One late batch is the common case, and reading a whole selection would take longer than the batch.
        if file.stat().st_size > SMALL_BYTES:
            return self
        return replace(self, selection=self.selection.restricted_to(solutions_named(file)))


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


@dataclass
class Submission:
    """A copy of a file, or of the files of a folder one after another, that nobody else writes to.

    parts: of a folder, each file's first line in the copy and its name. links: what was left out, and why.
    """

    parts: list[tuple[int, str]] = field(default_factory=list)
    links: list[Violation] = field(default_factory=list)

    def in_its_file(self, violation: Violation) -> Violation:
        """The violation with the name of the file in the folder, and the line in that file."""
        if not self.parts or not violation.line:
            return violation
        first, name = self.parts[bisect_right(self.parts, violation.line, key=lambda part: part[0]) - 1]
        return replace(violation, line=violation.line - first + 1, file=name)


def copy_submission(source: Path, target: Path) -> Submission:
    """Copies `source` to `target`. Raises NotAFile where `source` is a link, OSError."""
    # The copy is checked and filed, so a sender who goes on writing cannot change what was checked.
    submission, line = Submission(), 1
    with target.open("wb") as copy:
        # A link to a folder goes to `append`, which refuses links.
        if not source.is_dir() or source.is_symlink():
            append(source, copy)
            return submission
        for file in sorted(source.glob("*.jsonl")):
            try:
                newlines, is_cut = append(file, copy)
            except NotAFile as error:
                submission.links.append(Violation("not_a_file", str(error), file=file.name))
                continue
            submission.parts.append((line, file.name))
            if is_cut:
                # Otherwise the last line of this file and the first of the next would be one.
                copy.write(b"\n")
            line += newlines + is_cut
    return submission
