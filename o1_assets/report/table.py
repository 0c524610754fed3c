"""A table of the report: its cells are text, written as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """head: names of the columns, the first of which names the row. rows: text."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def share(value: float | None, error: float | None = None) -> str:
    """Percent, with its standard error; a dash where nothing was measured."""
    # An en dash: an empty cell looks like an error of the page.
    if value is None:
        return "–"
    return f"{100 * value:.1f}" + ("" if error is None else f" ± {100 * error:.1f}")
