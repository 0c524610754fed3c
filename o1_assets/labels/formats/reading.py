"""The items of a file of labels: lines of JSON, one array of JSON, or the rows of a Parquet file, one at a time.

What cannot be read is a violation in its place, and the items before and after it are read all the same.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

import msgspec

from o1_assets.core.files import open_regular
from o1_assets.labels.inbox.lines import ParsedLine, raw_lines
from o1_assets.labels.inbox.submission import not_text
from o1_assets.labels.protocol import Violation

PARQUET = b"PAR1"


def raw_items(path: Path) -> Iterator[ParsedLine]:
    """The file's items as JSON, each on one line, not parsed yet. Raises OSError, NotAFile.

    number: the line, or the place in the array or table, from 1.
    """
    with open_regular(path) as file:
        beginning = file.peek(4096)
        if beginning.startswith(PARQUET):
            yield from _rows(path)
            return
        # UTF-16, archives and empty files.
        if violation := not_text(file, path):
            yield ParsedLine(0, b"", violation=violation)
            return
    if beginning.removeprefix(BOM_UTF8).lstrip().startswith(b"["):
        yield from _array(path)
    else:
        yield from raw_lines(path)


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


def _array(path: Path) -> Iterator[ParsedLine]:
    """The array's items, decoded one after another: those before a damaged place are good."""
    try:
        text = path.read_bytes().removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        yield ParsedLine(0, b"", violation=Violation("not_utf8", f"not UTF-8 at byte {error.start}"))
        return
    decoder, number, at = json.JSONDecoder(), 0, text.index("[") + 1
    while True:
        at = _next(text, at)
        if text[at : at + 1] == "]":
            return
        number += 1
        try:
            item, at = decoder.raw_decode(text, at)
            raw = msgspec.json.encode(item)
            at = _next(text, at)
            if text[at : at + 1] not in (",", "]"):
                raise ValueError("the array does not end")
        except (ValueError, RecursionError) as error:
            message = f"no JSON from here on ({error}); the {number - 1} items before it are taken"
            yield ParsedLine(
                number, text[at : at + 200].encode(), violation=Violation("not_json", message, number)
            )
            return
        yield ParsedLine(number, raw)
        at += text[at] == ","


def _next(text: str, at: int) -> int:
    """The place of the next character that is no space."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at
