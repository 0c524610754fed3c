"""The report's section on self-correction: does a policy doubt, rightly, and what does it make of it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from o1_assets.core import plots
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation.versions import GENERATOR
from o1_assets.report.table import Table, share

Rows = Sequence[Mapping[str, Any]]


OFTEN = {
    "doubting": ("of all solutions", plots.ORANGE),
    "noticed": ("of first errors", plots.BLUE),
}


OUTCOME = {
    "rightly": ("rightly", plots.GREY),
    "wrong_to_right": ("wrong to right", plots.GREEN),
    "right_to_wrong": ("right to wrong", plots.RED),
}


COLUMNS = {
    "doubting": "of all solutions",
    "noticed": "of first errors",
    "rightly": "rightly",
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
    names = [version(row["round"]).removeprefix("v") for row in rows]
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
            charts.append(
                (
                    series,
                    Axis(
                        title,
                        "GPT*, then baby-o1 after each round",
                        "",
                        ticks=x,
                        tick_labels=names,
                        from_zero=True,
                    ),
                )
            )
    return charts


def doubt_table(rows: Rows) -> Table:
    return Table(
        "Doubts of each version",
        "In percent, with standard errors over problems: how many solutions doubt, how many first errors are doubted "
        "at once; then, of the doubts, those about an error, and what was made of what. A doubt is a step that begins "
        "with “wait” and replaces the operation before it; the exact checker says whether each was right.",
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
