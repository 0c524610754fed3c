"""Reads label files that may hold anything: every line comes back as a record or as what is wrong with it."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from o1_assets.labels.schema import Record
from o1_assets.labels.violation import Violation

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
