"""The items of a file of labels: lines of JSON, an array of JSON, objects of JSON over several lines each, or the rows
of a Parquet file, one at a time.

What cannot be read is a violation in its place, and the items before and after it are read all the same.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from o1_assets.core.files import open_regular
from o1_assets.labels.inbox.lines import ParsedLine, raw_lines
from o1_assets.labels.inbox.submission import not_text
from o1_assets.labels.protocol import Violation

PARQUET = b"PAR1"

_OVER_LINES = re.compile(rb'\{\s*\n\s*"')
"""How an object begins that was printed over several lines: a brace alone, and its first field below it."""


def raw_items(path: Path) -> Iterator[ParsedLine]:
    """The file's items as JSON, each on one line, not parsed yet. Raises OSError, NotAFile.

    number: the line, or the place in the file or table, from 1.
    """
    with open_regular(path) as file:
        beginning = file.peek(4096)
        violation = not_text(file, path)  # UTF-16, archives and empty files
    if beginning.startswith(PARQUET):
        yield from _rows(path)
    elif violation:
        yield ParsedLine(0, b"", violation=violation)
    elif _is_of_lines(beginning):
        yield from raw_lines(path)
    else:
        yield from _values(path)


def holds_lines(path: Path) -> bool:
    """Whether each line of the file is an item, as it stands. Raises OSError, NotAFile."""
    with open_regular(path) as file:
        beginning = file.peek(4096)
    return not beginning.startswith(PARQUET) and _is_of_lines(beginning)


def _is_of_lines(beginning: bytes) -> bool:
    beginning = beginning.removeprefix(BOM_UTF8).lstrip()
    return not beginning.startswith(b"[") and not _OVER_LINES.match(beginning)


def _rows(path: Path) -> Iterator[ParsedLine]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield ParsedLine(number, msgspec.json.encode(row))
    except (pyarrow.ArrowException, TypeError) as error:
        message = (
            f"the Parquet file cannot be read on ({str(error).splitlines()[0]}); the rows before are taken"
        )
        yield ParsedLine(number + 1, b"", violation=Violation("not_readable", message, number + 1))


def _values(path: Path) -> Iterator[ParsedLine]:
    """The items of one array, or objects one after another: those before a damaged place are good."""
    try:
        text = path.read_bytes().removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        yield ParsedLine(0, b"", violation=Violation("not_utf8", f"not UTF-8 at byte {error.start}"))
        return
    has_repeated = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_repeated
        has_repeated = has_repeated or len(dict(pairs)) < len(pairs)
        return dict(pairs)

    decoder, number, at = json.JSONDecoder(object_pairs_hook=look), 0, _next(text, 0)
    is_array = text[at] == "["
    end, at = ("]", at + 1) if is_array else ("", at)
    while True:
        at = _next(text, at)
        if text[at : at + 1] == end:
            return
        number += 1
        try:
            has_repeated, start = False, at
            item, at = decoder.raw_decode(text, at)
            # A field that is given twice is for whoever reads the item to refuse: of it, too, as it stands.
            raw = _one_line(text[start:at]) if has_repeated else msgspec.json.encode(item)
            at = _next(text, at)
            if is_array and text[at : at + 1] not in (",", "]"):
                raise ValueError("the array does not end")
        except (ValueError, RecursionError) as error:
            message = (
                f"no JSON from here on ({error}); the {number - 1} items before it are taken: mend it, and send the "
                "whole file again"
            )
            raw = _one_line(text[at : at + 200])
            yield ParsedLine(number, raw, violation=Violation("not_json", message, number))
            return
        yield ParsedLine(number, raw)
        at += is_array and text[at] == ","


def _one_line(text: str) -> bytes:
    """JSON on one line: those within its strings are escaped."""
    return text.replace("\n", " ").replace("\r", " ").encode(errors="replace")


def _next(text: str, at: int) -> int:
    """The place of the next character that is no space."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at
