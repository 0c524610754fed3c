"""Decides what of a submitted file is accepted: records of the round's selection, unchanged, that keep its protocol.

A file may hold anything: every line becomes a record, or a violation that says what is wrong with the line.
"""

from __future__ import annotations

import hashlib
import json
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from o1_assets.core.formatting import printable
from o1_assets.labels.inbox.tables import BatchTables, ParsedRecord
from o1_assets.labels.inbox.written import written_violations
from o1_assets.labels.protocol import Protocol, Violation, Writing
from o1_assets.labels.schema import REMEDIES, WITHDRAWN, Record, name_fault
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
            # Files that were put together each bring the byte order mark of their beginning.
            elif stripped := raw.removeprefix(BOM_UTF8).strip():
                yield parse_line(number, stripped)


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(1 << 20)) and not rest.endswith(b"\n"):
        pass


def parse_line(number: int, raw: bytes) -> ParsedLine:
    """One line as a record, or as what is wrong: `not_utf8`, `not_json`, `repeated_field`, `wrong_rating` or
    `wrong_schema`.
    """
    # msgspec does not say where a line stops being UTF-8.
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return ParsedLine(
            number, raw, violation=Violation("not_utf8", f"not UTF-8 at byte {error.start}", number)
        )
    try:
        record, repeated = Record.from_line(raw), _repeated_field(raw)
    except (ValueError, RecursionError) as error:
        return ParsedLine(number, raw, violation=_schema_violation(number, raw, str(error)))
    if repeated is not None:
        message = f"the field {printable(repeated)} is given twice in one object; leave the right one"
        violation = Violation("repeated_field", message, number, _named_solution(raw))
        return ParsedLine(number, raw, violation=violation)
    return ParsedLine(number, raw, record=record)


def _repeated_field(raw: bytes) -> str | None:
    """A field that an object of the line has twice, of which every parser silently takes one."""
    # Written again, the line lacks the repeated fields, and with them their quotes. An escaped quote that is written
    # plainly could make up for those, so such a line is always looked at closely.
    if b"\\u0022" not in raw and raw.count(b'"') == msgspec.json.encode(msgspec.json.decode(raw)).count(b'"'):
        return None
    repeated: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        names = Counter(name for name, _ in pairs)
        repeated.extend(name for name, count in names.items() if count > 1)

    json.loads(raw, object_pairs_hook=look)
    return repeated[0] if repeated else None


def _schema_violation(number: int, raw: bytes, message: str) -> Violation:
    """message: msgspec's, for a line that it could not read as a record."""
    try:
        msgspec.json.decode(raw)
    except msgspec.ValidationError:
        pass  # JSON with a number that no computer holds
    except (ValueError, RecursionError) as error:
        return Violation("not_json", _why_no_json(raw, str(error)), number)
    place = _PLACE.search(message)
    where, text = place[1].lstrip(".") if place else "", printable(_PLACE.sub("", message), 200)
    match = _STEP_AND_COMPLETION.search(where)
    step, completion = (None if at is None else int(at) for at in match.groups()) if match else (None, None)
    rule, message = "wrong_schema", f"{where or 'the line'}: {text}"
    if completion is not None and where.endswith(".rating"):
        rule, message = "wrong_rating", f"a rating is -1, 0, 1 or null ({where}: {text})"
    elif remedy := REMEDIES.get(where.rpartition(".")[2]):
        message = f"{message}; {remedy}"
    return Violation(rule, message, number, _named_solution(raw), step, completion)


_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _why_no_json(raw: bytes, message: str) -> str:
    """What is wrong with a line that is no JSON, with the cause where it is a usual one."""
    if b"\0" in raw:
        return "it holds zero bytes: the file was not written to its end; send it again from a good copy"
    if b"\r" in raw:
        return f"{message}; lines have to end in a line feed, and not in a carriage return alone"
    try:
        # Python's parser takes what is no JSON but often written.
        json.loads(raw)
    except (ValueError, RecursionError):
        return f"{message}; a line is one record, {{...}}, and ends in a line feed"
    if _HALF_PAIR.search(raw):
        return "a text holds half of a surrogate pair (such as \\ud83d alone); write the whole character"
    return f"{message}; write null in place of NaN and Infinity"


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
    lines = path.read_bytes().split(b"\n")
    named = (_named_solution(line.removeprefix(BOM_UTF8)) for line in lines)
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
