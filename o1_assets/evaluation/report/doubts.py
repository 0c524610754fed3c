"""The report's section on self-correction: does a policy doubt, rightly, and what does it make of it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from o1_assets.evaluation import plots
from o1_assets.evaluation.plots import Axis, Series
from o1_assets.evaluation.report.table import Table, share
from o1_assets.evaluation.versions import GENERATOR

Rows = Sequence[Mapping[str, Any]]
OFTEN = {
    "doubting": ("solutions that doubt", plots.ORANGE),
    "noticed": ("first errors doubted at once", plots.BLUE),
}
OUTCOME = {
    "rightly": ("doubts about an error", plots.GREY),
    "wrong_to_right": ("wrong to right", plots.GREEN),
    "right_to_wrong": ("right to wrong", plots.RED),
}
COLUMNS = {
    "doubting": "solutions that doubt",
    "noticed": "first errors doubted at once",
    "rightly": "of the doubts: rightly",
    "wrong_to_right": "wrong to right",
    "wrong_to_wrong": "wrong to wrong",
    "right_to_wrong": "right to wrong",
    "right_to_right": "right to right",
}


def version(k: int) -> str:
    return "GPT*" if k == GENERATOR else f"v{k}"


def doubt_charts(rows: Rows) -> list[tuple[list[Series], Axis]]:
    """rows: of corrections.parquet."""
    x = [float(row["round"]) for row in rows]
    names = [version(row["round"]) for row in rows]
    charts = []
    for title, lines in (
        ("How often a policy doubts itself", OFTEN),
        ("What becomes of its doubts", OUTCOME),
    ):
        series = [
            Series(
                label, x, [row[name] for row in rows], color, [row[f"{name}_error"] or 0.0 for row in rows]
            )
            for name, (label, color) in lines.items()
            if any(row[name] is not None for row in rows)
        ]
        if series:
            charts.append((series, Axis(title, "version", "", ticks=x, tick_labels=names, from_zero=True)))
    return charts


def doubt_table(rows: Rows) -> Table:
    return Table(
        "Doubts of each version",
        "In percent, with standard errors over problems. A doubt is a step that begins with “wait” and replaces the "
        "operation before it; the exact checker says what that was before and after.",
        ("version", *COLUMNS.values(), "doubts"),
        [
            (
                version(row["round"]),
                *(share(row[name], row[f"{name}_error"]) for name in COLUMNS),
                f"{row['doubts']} in {row['solutions']}",
            )
            for row in rows
        ],
    )
