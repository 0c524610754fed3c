"""The formats of rated solutions that are read, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from o1_assets.core.errors import O1Error
from o1_assets.core.formatting import printable
from o1_assets.labels.formats.label_format import LabelFormat
from o1_assets.labels.formats.label_studio import LABEL_STUDIO
from o1_assets.labels.formats.math_shepherd import MATH_SHEPHERD
from o1_assets.labels.formats.prm800k import PRM800K
from o1_assets.labels.formats.process_bench import PROCESS_BENCH
from o1_assets.labels.formats.reading import raw_items
from o1_assets.labels.formats.stepwise import STEPWISE
from o1_assets.labels.inbox.lines import ParsedLine

FORMATS = {each.name: each for each in (PRM800K, MATH_SHEPHERD, PROCESS_BENCH, STEPWISE, LABEL_STUDIO)}

LOOKED_AT = 100
"""Items of a file that are looked at to recognise its format: the first may be damaged."""


class UnknownFormat(O1Error, ValueError):
    """A file, or the name of a format, is none that is known; the message says what was seen and what is known."""


def format_named(name: str) -> LabelFormat:
    """Raises UnknownFormat."""
    if name not in FORMATS:
        raise UnknownFormat(f"there is no format {printable(name)!r}; the known ones are {known_formats()}")
    return FORMATS[name]


def known_formats() -> str:
    return "; ".join(f"{each.name} ({each.fields})" for each in FORMATS.values())


def format_of(path: Path) -> LabelFormat:
    """The format of the first item that is of any. Raises UnknownFormat, OSError, NotAFile."""
    seen = "nothing"
    for line in islice(raw_items(path), LOOKED_AT):
        item = _object(line)
        if item is not None:
            for each in FORMATS.values():
                if each.fits(item):
                    return each
        if seen == "nothing":
            seen = _description(line, item)
    raise UnknownFormat(
        f"{path} is in no format that is known: it holds {seen}, and the known formats are {known_formats()}; "
        "`--format` names one"
    )


def read_records(path: Path, label_format: LabelFormat) -> Iterator[ParsedLine]:
    """The records of a file, parsed or with their violation. Raises OSError, NotAFile."""
    for line in raw_items(path):
        if line.violation:
            yield line
        else:
            yield from label_format.records(line.number, line.raw)


def _object(line: ParsedLine) -> Mapping[str, Any] | None:
    try:
        item = None if line.violation else msgspec.json.decode(line.raw)
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) else None


def _description(line: ParsedLine, item: Mapping[str, Any] | None) -> str:
    if item is not None:
        return f"objects with the fields {printable(', '.join(item), 200) or '(none)'}"
    if line.violation is not None:
        return f"what cannot be read ({line.violation.message})"
    return f"lines such as {printable(line.raw.decode(errors='replace'), 40)!r}"
