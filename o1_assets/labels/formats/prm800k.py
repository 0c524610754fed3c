"""PRM800K's own record (`schema.py`), which all other formats are turned into."""

from __future__ import annotations

from collections.abc import Iterator

from o1_assets.labels.formats.label_format import LabelFormat
from o1_assets.labels.inbox.lines import ParsedLine, parse_line


def records(number: int, raw: bytes) -> Iterator[ParsedLine]:
    yield parse_line(number, raw)


PRM800K = LabelFormat(
    "prm800k",
    "question, label.steps",
    lambda item: isinstance(item.get("question"), dict) and isinstance(item.get("label"), dict),
    records,
    states_round=True,
)
