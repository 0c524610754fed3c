"""Which charts there are, and what is on each: made from rows, for the UI and the report alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from o1_assets.core import plots
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, WEIGHTED

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Look:
    label: str
    color: str
    style: Literal["line", "dashed"] = "line"


SELECTORS: Mapping[str, Look] = {
    "prm_product": Look("PRM product", plots.BLUE),
    "prm_minimum": Look("PRM minimum", plots.SKY),
    WEIGHTED + "prm_product": Look("PRM-weighted vote", plots.RED),
    "orm": Look("ORM", plots.ORANGE),
    MAJORITY: Look("majority", plots.PURPLE),
    "min_logprob": Look("least likely token", plots.GREEN),
    PASS: Look("any right", plots.GREY, "dashed"),
}
"""Selector -> how it looks on every chart. min_logprob is the baseline that needs no training."""


def best_of_n(rows: Iterable[Row], title: str) -> tuple[list[Series], Axis]:
    """rows: selector, n, mean, std (one curve a selector; average over seeds before)."""
    table = list(rows)
    series = []
    for name, look in SELECTORS.items():
        mine = sorted((row for row in table if row["selector"] == name), key=lambda row: row["n"])
        if mine:
            band = [row["std"] for row in mine] if look.style == "line" else None
            series.append(
                Series(
                    look.label,
                    [r["n"] for r in mine],
                    [r["mean"] for r in mine],
                    look.color,
                    band,
                    look.style,
                )
            )
    return series, Axis(title, "samples a problem", "accuracy", log2=True)


@dataclass(frozen=True)
class Line:
    """One column of the rounds' table as a line."""

    column: str
    label: str
    color: str
    style: Literal["line", "dashed"] = "line"


LEARNING: Mapping[str, tuple[Line, ...]] = {
    "Accuracy on held-out problems": (
        Line("prm_best_of_n", "PRM best of N", plots.BLUE),
        Line("majority_at_n", "majority", plots.PURPLE),
        Line("greedy", "greedy", plots.GREEN),
        Line("pass@1", "pass@1", plots.ORANGE),
    ),
    "How often wrong answers fool the PRM": (
        Line("fooled_fresh", "fresh, best of 16", plots.RED),
        Line("fooled_pool", "fixed pool", plots.PURPLE),
    ),
    "Finding the earliest wrong step": (
        Line("step_f1", "F1", plots.BLUE),
        Line("step_accuracy_wrong", "in wrong solutions", plots.RED, "dashed"),
        Line("step_accuracy_right", "in right solutions", plots.GREEN, "dashed"),
    ),
    "Catching its own mistakes": (
        Line("wait_share", "solutions that say wait", plots.ORANGE),
        Line("wait_right_share", "of these, rightly", plots.GREEN),
    ),
}
"""Chart title -> its lines over the rounds."""


RATES = ("How often wrong answers fool the PRM", "Catching its own mistakes")
"""Charts on which nought is the mark to compare with."""


def learning(rounds: Sequence[Row]) -> list[tuple[list[Series], Axis]]:
    """rounds: one row a round, "round" and any columns of LEARNING; columns nobody has are left out."""
    ordered = sorted(rounds, key=lambda row: row["round"])
    x = [float(row["round"]) for row in ordered]
    charts = []
    for title, lines in LEARNING.items():
        series = [
            Series(line.label, x, [row.get(line.column) for row in ordered], line.color, None, line.style)
            for line in lines
            if any(row.get(line.column) is not None for row in ordered)
        ]
        if series:
            names = [f"{v:.0f}" for v in x]
            charts.append(
                (series, Axis(title, "round", "", ticks=x, tick_labels=names, from_zero=title in RATES))
            )
    return charts
