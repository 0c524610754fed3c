"""The lines of a file as records, or as what is wrong with them. Nothing here knows a round or a selection."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from o1_assets.core.formatting import printable
from o1_assets.labels.protocol import Violation
from o1_assets.labels.schema import REMEDIES, Record

MAX_LINE_BYTES = 1 << 24
"""PRM800K's longest line is far below; a longer one is skipped without being held in memory."""

# msgspec names the place at the end of its message, such as "... - at `$.label.steps[2].completions[0].rating`".
_PLACE = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_STEP_AND_COMPLETION = re.compile(r"\.steps\[(\d+)\](?:\.completions\[(\d+)\])?")


@dataclass(frozen=True)
class ParsedLine:
    """number counts from 1. raw: the bytes without the line ending (their beginning only, if too long).

    record: None if there is a violation, or if the line was not parsed. correct: whether the solution's final answer is
    right, where a format says it beside the ratings.
    """

    number: int
    raw: bytes
    record: Record | None = None
    violation: Violation | None = None
    correct: bool | None = None


def raw_lines(path: Path) -> Iterator[ParsedLine]:
    """The file's lines, not parsed, blank ones left out; too long ones have a violation. Raises OSError only."""
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
                yield ParsedLine(number, stripped)


def read_lines(path: Path) -> Iterator[ParsedLine]:
    """The file's lines as PRM800K's records, blank ones left out. Raises OSError only."""
    for line in raw_lines(path):
        yield line if line.violation else parse_line(line.number, line.raw)


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
        return ParsedLine(number, raw, violation=schema_violation(number, raw, str(error)))
    if repeated is not None:
        message = f"the field {printable(repeated)} is given twice in one object; leave the right one"
        violation = Violation("repeated_field", message, number, named_solution(raw))
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


def schema_violation(number: int, raw: bytes, message: str) -> Violation:
    """What is wrong with a line. message: msgspec's, which could not read it as what was expected."""
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
    return Violation(rule, message, number, named_solution(raw), step, completion)


class _OriginOnly(msgspec.Struct):
    solution_id: str


class _RecordWithOrigin(msgspec.Struct):
    o1: _OriginOnly


_ORIGIN_DECODER = msgspec.json.Decoder(_RecordWithOrigin)


def named_solution(raw: bytes) -> str | None:
    """The solution that a line says it is about; None if it says none."""
    with suppress(ValueError, RecursionError):
        return _ORIGIN_DECODER.decode(raw).o1.solution_id
    return None


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
