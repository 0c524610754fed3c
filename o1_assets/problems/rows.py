"""Rows of a .jsonl or .parquet file, each with its place.

A row that cannot be used is given back as `LeftOut` in place of the row, and the reading goes on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem, printable

if TYPE_CHECKING:
    import pyarrow

LONGEST_LINE = 2**24
"""Bytes. A line without an end would fill the memory."""

LONGEST_TEXT = 100_000
"""Characters of a question or an answer: more than any model here reads."""

LONGEST_NUMBER = 100
"""Digits that a number may take when it is written without an exponent; the grader compares no longer ones."""

DEEPEST = 50
"""Levels of lists and objects in a row. Without a limit a file decides how deep Python recurses."""

# Tabs and line ends are text. Others come from LaTeX whose backslash was not doubled in JSON: "\frac" is a form feed.
# U+202D and U+202E show a text in another order than it has.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Row:
    """One row. place: for messages, such as "problems.jsonl, line 7"."""

    place: str
    values: dict[str, Any]

    def holds(self, name: str) -> bool:
        """Whether there is a value. pandas writes NaN where nothing is."""
        value = self.values.get(name)
        return value is not None and value != "" and value == value

    def text(self, name: str, number: bool = False) -> str:
        """A text without the spaces around it. number: a number will do, and is given without an exponent.

        Raises LeftOut where it is absent, empty or anything else.
        """
        value = self.values.get(name)
        if value is None and name in self.values:
            raise LeftOut(self.place, f"{name!r} is null", "fill it in or remove the row")
        if value is None:
            present = f"there is {', '.join(map(str, self.values))[:80]}" if self.values else ""
            raise LeftOut(
                self.place, f"there is no {name!r}", "add it, or rename the column that holds it", present
            )
        # An answer is often written as a number; true is an int to Python and no answer.
        if number and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return self._number(name, value)
        if not isinstance(value, str):
            raise LeftOut(self.place, f"{name!r} is {_kind(value)}", "write it as text")
        if len(value) > LONGEST_TEXT:
            raise LeftOut(self.place, f"{name!r} is longer than {LONGEST_TEXT:,} characters", "shorten it")
        if _SURROGATE.search(value):
            remedy = "write the whole character, or remove it"
            raise LeftOut(
                self.place, f"{name!r} holds half of a surrogate pair, which is no character", remedy
            )
        if control := _CONTROL.search(value):
            remedy = "remove it; in JSON, LaTeX needs two backslashes, as in \\\\frac"
            detail = f"U+{ord(control[0]):04X}"
            raise LeftOut(self.place, f"{name!r} holds a control character", remedy, detail)
        if not any(letter.isprintable() and not letter.isspace() for letter in value):
            raise LeftOut(self.place, f"{name!r} is empty", "fill it in or remove the row")
        return value.strip()

    def count(self, name: str) -> int | None:
        """A whole number that a column of 32 bits holds; None where there is none. Raises LeftOut."""
        value = self.values.get(name)
        if value is None or not self.holds(name):
            return None
        # pandas writes 3.0 for 3 in a column with a gap.
        number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        if number and 0 <= value < 2**31 and value == int(value):
            return int(value)
        reason = f"{name!r} is not an integer from 0 to {2**31 - 1}"
        raise LeftOut(self.place, reason, "write one or leave it out", _shown(value))

    def others(self, *names: str) -> dict[str, Any]:
        """All values but these, as JSON can hold them. Raises LeftOut where they are nested too deeply."""
        try:
            return {str(key): json_value(value) for key, value in self.values.items() if key not in names}
        except RecursionError:
            raise LeftOut(self.place, "nested too deeply", f"use at most {DEEPEST} levels") from None

    def _number(self, name: str, value: float | Decimal) -> str:
        # A float's shortest form, not its binary expansion: 0.1 is meant where 0.1 is written.
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if not number.is_finite():
            raise LeftOut(self.place, f"{name!r} is not a finite number", "write the answer as text")
        if not number:
            return "0"
        digits = max(number.adjusted(), 0) - min(int(number.as_tuple().exponent), 0) + 1
        if digits > LONGEST_NUMBER:
            remedy = "write it as text, such as 10^{300}"
            raise LeftOut(self.place, f"{name!r} is a number of more than {LONGEST_NUMBER} digits", remedy)
        # 1e20 as JSON writes it would be read as Euler's number by a parser of mathematics, and 51.0 is 51.
        return str(int(number)) if number == int(number) else f"{number:f}"


def read_rows(file: Path) -> Iterator[Row | LeftOut]:
    """Rows of a .jsonl or .parquet file. Raises ProblemError where the file as a whole cannot be read."""
    if file.is_dir():
        raise ProblemError(f"{file} is a folder; give the path of a .jsonl or .parquet file.")
    if not file.is_file():
        raise ProblemError(f"{file} does not exist; give the path of a .jsonl or .parquet file.")
    if remedy := _unreadable(_head(file), file.suffix):
        raise ProblemError(f"{file} {remedy}.")
    return _jsonl(file) if file.suffix == ".jsonl" else _parquet(file)


def read_problems(
    rows: Iterable[Row | LeftOut], read: Callable[[Row], RawProblem], file: Path | str
) -> list[RawProblem | LeftOut]:
    """What `read` makes of each row, or why the row is left out. Raises ProblemError if no row can be used.

    read: raises LeftOut for a row that it cannot use. file: what is read, a Path or the name of a table on the Hub.
    """
    items = [row if isinstance(row, LeftOut) else _attempt(read, row) for row in rows]
    left_out = [item for item in items if isinstance(item, LeftOut)]
    usable = len(items) - len(left_out)
    # Its last row may well be read, as in a JSON array with an object a line.
    if usable < len(left_out) and isinstance(file, Path) and (remedy := _other_format(file)):
        raise ProblemError(f"{file} {remedy}.")
    if not usable:
        why = f"none of its {len(left_out)} rows can be used: {left_out[0]}" if left_out else "add some."
        raise ProblemError(f"{file} holds no problems; {why}")
    return items


def json_value(value: Any, level: int = 0) -> Any:
    """The value as JSON can hold it and any reader takes it. Raises RecursionError below DEEPEST levels."""
    if level > DEEPEST:
        raise RecursionError
    match value:
        case None | bool() | int():
            return value
        case float() | Decimal():
            return float(value) if math.isfinite(value) else None
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case dict():
            return {str(key): json_value(item, level + 1) for key, item in value.items()}
        case list() | tuple():
            return [json_value(item, level + 1) for item in value]
        case bytes():
            return f"{len(value)} bytes"
    return str(value)


def _attempt(read: Callable[[Row], RawProblem], row: Row) -> RawProblem | LeftOut:
    try:
        return read(row)
    except LeftOut as left_out:
        return left_out


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(4096)
    except OSError as error:
        raise ProblemError(f"{file} cannot be read ({error.strerror}); change its permissions.") from error


def _unreadable(head: bytes, suffix: str) -> str | None:
    """What a file is that can hold no rows, and the remedy; None if it may hold some."""
    if head.startswith(b"\x1f\x8b"):
        return "is compressed; unpack it with gunzip"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS and not the file itself; fetch it with `git lfs pull`"
    if suffix == ".json":
        return "is not .jsonl; write one object a line (jq -c '.[]' FILE > FILE.jsonl)"
    if suffix not in (".jsonl", ".parquet"):
        return "is neither .jsonl nor .parquet; convert it to one of them"
    if suffix == ".jsonl" and head.startswith(b"PAR1"):
        return "is a Parquet file; rename it to .parquet"
    if suffix == ".jsonl" and head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is in UTF-16; write it in UTF-8 (iconv -f UTF-16 -t UTF-8)"
    return None


def _other_format(file: Path) -> str | None:
    """What a .jsonl file seems to be whose lines are mostly no rows, and the remedy."""
    first = _head(file).removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0].strip()
    if file.suffix != ".jsonl" or not first:
        return None
    if first.startswith(b"["):
        return "is a JSON array; write one object a line (jq -c '.[]')"
    if first == b"{":
        return "is JSON over several lines; write one object a line (jq -c .)"
    if not first.startswith(b"{") and re.search(rb"[,;\t]", first):
        return "looks like CSV; write one JSON object a line, or convert it to Parquet"
    return None


def _jsonl(file: Path) -> Iterator[Row | LeftOut]:
    # As bytes: one line that is not UTF-8 is then an error of that line.
    with file.open("rb") as lines:
        number = 0
        while line := lines.readline(LONGEST_LINE):
            number += 1
            place = f"{file}, line {number}"
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = lines.readline(LONGEST_LINE)
                yield LeftOut(place, f"the line is longer than {LONGEST_LINE >> 20} MiB", "shorten it")
                continue
            row = _parsed(line, place)
            if row is not None:
                yield row


def _parsed(line: bytes, place: str) -> Row | LeftOut | None:
    """The row that a line of JSON is, or why it is none; None for an empty line."""
    remedy = "write one JSON object a line, in UTF-8"
    try:
        # Files that were joined have byte order marks in their middle too.
        text = line.decode().lstrip("\ufeff")
        if not text.strip():
            return None
        # Decimal keeps all digits that are written. A key that stands twice with two values is one of JSON's traps.
        values = json.loads(
            text, parse_float=Decimal, parse_constant=float, object_pairs_hook=_without_repetition
        )
    except UnicodeDecodeError:
        return LeftOut(place, "not UTF-8", "write the file in UTF-8")
    except json.JSONDecodeError as error:
        return LeftOut(place, "not JSON", remedy, error.msg)
    except RecursionError:  # json gives up on deep nesting with it
        return LeftOut(place, "not JSON", remedy, "nested too deeply")
    except ArithmeticError:
        return LeftOut(place, "not JSON", remedy, "a number with too large an exponent")
    except ValueError as error:  # a key twice, or an integer that Python finds too long
        return LeftOut(place, "not JSON", remedy, re.split("[:;]", str(error))[0])
    if not isinstance(values, dict):
        return LeftOut(place, f"not an object but {_kind(values)}", "write one object a line")
    return Row(place, values)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        for key, value in pairs:
            if values[key] != value:
                raise ValueError(f"the key {key!r} stands twice")
    return values


def _parquet(file: Path) -> Iterator[Row | LeftOut]:
    import pyarrow
    import pyarrow.parquet

    # By pyarrow: on damaged files polars panics, which prints a stack of Rust whoever catches it.
    try:
        table = pyarrow.parquet.ParquetFile(file).read()
        columns = [_values(column) for column in table.columns]
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise ProblemError(f"{file} could not be read as Parquet ({reason}); write it again.") from error
    names = table.column_names
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ProblemError(f"{file} has several columns named {min(repeated)!r}; rename all but one.")
    return (
        Row(f"{file}, row {number}", dict(zip(names, values, strict=True)))
        for number, values in enumerate(zip(*columns, strict=True), 1)
    )


def _values(column: pyarrow.ChunkedArray) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        # Parquet holds dates that Python has no object for, such as the year 100,000.
        values = column.cast("string").to_pylist()
    return values


def _kind(value: Any) -> str:
    names = {bool: "true or false", list: "a list", dict: "an object", type(None): "null", str: "a text"}
    numbers = dict.fromkeys((int, float, Decimal), "a number")
    return (names | numbers).get(type(value), f"of the type {type(value).__name__}")


def _shown(value: Any) -> str:
    return printable(str(value))[:40]
