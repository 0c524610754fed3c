"""What of a rated file is accepted: records of the round's selection, unchanged, that keep to its protocol."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from o1_assets.core.files import NotAFile, append
from o1_assets.labels.inbox.columns import BatchTables, Seen
from o1_assets.labels.protocol import DENSE, Protocol, Violation
from o1_assets.labels.schema import WITHDRAWN, Record
from o1_assets.labels.selection import Selection

# Reads label files that may hold anything: every line comes back as a record or as what is wrong with it.

MAX_LINE_BYTES = 1 << 24
"""PRM800K's longest line is far below; a longer one is skipped without being held in memory."""


_AT = re.compile(r" - at `\$(.*)`$", re.DOTALL)


_SLOT = re.compile(r"\.steps\[(\d+)\](?:\.completions\[(\d+)\])?")


@dataclass(frozen=True)
class Line:
    """number counts from 1. raw: the bytes without the line ending (their beginning only, if too long)."""

    number: int
    raw: bytes
    record: Record | None = None
    violation: Violation | None = None


def read_lines(path: Path) -> Iterator[Line]:
    """The file's lines, blank ones left out. Raises OSError only."""
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                beginning = raw[:200]
                del raw
                _skip_line(file)
                message = f"longer than {MAX_LINE_BYTES} bytes"
                yield Line(number, beginning, violation=Violation("line_too_long", message, number))
            elif stripped := (raw.removeprefix(BOM_UTF8) if number == 1 else raw).strip():
                yield parse_line(number, stripped)


def parse_line(number: int, raw: bytes) -> Line:
    """One line as a record, or as what is wrong: `not_utf8`, `not_json`, `wrong_rating` or `wrong_schema`."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return Line(number, raw, violation=Violation("not_utf8", f"not UTF-8 at byte {error.start}", number))
    try:
        return Line(number, raw, record=Record.from_line(raw))
    except (ValueError, RecursionError) as error:
        return Line(number, raw, violation=_what_is_wrong(number, raw, str(error)))


class _OriginOnly(msgspec.Struct):
    solution_id: str


class _Named(msgspec.Struct):
    o1: _OriginOnly


_NAMED = msgspec.json.Decoder(_Named)


def solutions_named(path: Path) -> frozenset[str]:
    """Ids of the solutions that the records of a small file say they are about; at least those of the good lines."""
    found = set()
    for raw in path.read_bytes().removeprefix(BOM_UTF8).split(b"\n"):
        with suppress(ValueError, RecursionError):
            found.add(_NAMED.decode(raw).o1.solution_id)
    return frozenset(found)


def _what_is_wrong(number: int, raw: bytes, message: str) -> Violation:
    try:
        msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        return Violation("not_json", str(error), number)
    try:
        solution = _NAMED.decode(raw).o1.solution_id
    except (ValueError, RecursionError):
        solution = None
    found = _AT.search(message)
    where = found[1].lstrip(".") if found else ""
    slot = _SLOT.search(where)
    step, completion = (None if at is None else int(at) for at in slot.groups()) if slot else (None, None)
    rule, said = "wrong_schema", f"{where or 'the line'}: {_AT.sub('', message)}"
    if completion is not None and where.endswith(".rating"):
        rule, said = "wrong_rating", f"a rating is -1, 0, 1 or null ({where}: {_AT.sub('', message)})"
    return Violation(rule, said, number, solution, step, completion)


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(1 << 20)) and not rest.endswith(b"\n"):
        pass


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


# What a sender gives, a file or a folder of them, copied into one file that nobody else writes to.


@dataclass
class Sent:
    """parts: of a folder, each file's first line in the copy and its name. links: what was left out, and why."""

    parts: list[tuple[int, str]] = field(default_factory=list)
    links: list[Violation] = field(default_factory=list)

    def in_its_file(self, violation: Violation) -> Violation:
        """The violation with the file of a folder, and the line in it."""
        if not self.parts or not violation.line:
            return violation
        first, name = self.parts[bisect_right(self.parts, violation.line, key=lambda part: part[0]) - 1]
        return replace(violation, line=violation.line - first + 1, file=name)


def copy_sent(source: Path, target: Path) -> Sent:
    """Copies first, then looks: what is checked is what is kept, even if the sender goes on writing.

    Raises NotAFile where `source` is a link, OSError.
    """
    sent, line = Sent(), 1
    with target.open("wb") as out:
        if not source.is_dir() or source.is_symlink():
            append(source, out)
            return sent
        for file in sorted(source.glob("*.jsonl")):
            try:
                newlines, cut = append(file, out)
            except NotAFile as error:
                sent.links.append(Violation("not_a_file", str(error), file=file.name))
                continue
            sent.parts.append((line, file.name))
            if cut:
                out.write(b"\n")
            line += newlines + cut
    return sent
