"""Reads label files that may hold anything: every line comes back as a record or as what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from o1_assets.labels.schema import Record
from o1_assets.labels.violation import Violation

MAX_LINE_BYTES = 1 << 24
"""PRM800K's longest line is far below; a longer one is skipped without being held in memory."""


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
                _skip_line(file)
                message = f"longer than {MAX_LINE_BYTES} bytes"
                yield Line(number, raw[:200], violation=Violation("line_too_long", message, number))
            elif stripped := raw.strip():
                yield parse_line(number, stripped)


def parse_line(number: int, raw: bytes) -> Line:
    """One line as a record, or as the violation `not_utf8`, `not_json` or `wrong_schema`."""
    try:
        raw.decode("utf-8")
        return Line(number, raw, record=Record.from_line(raw))
    except UnicodeDecodeError as error:
        return Line(number, raw, violation=Violation("not_utf8", f"not UTF-8 at byte {error.start}", number))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            return Line(number, raw, violation=Violation("not_json", first["msg"], number))
        where = ".".join(str(part) for part in first["loc"])
        return Line(number, raw, violation=Violation("wrong_schema", f"{where}: {first['msg']}", number))


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(1 << 20)) and not rest.endswith(b"\n"):
        pass
