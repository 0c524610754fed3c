"""Which charts there are, and what is on each: made from rows, for the UI and the report alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from o1_assets.evaluation import plots
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, WEIGHTED
from o1_assets.evaluation.plots import Axis, Series
from o1_assets.evaluation.words import count

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


@dataclass(frozen=True)
class Fit:
    """Least squares of accuracy on log2 FLOPs: gain a doubling, and the share of variance explained."""

    gain: float
    intercept: float
    r2: float


def fit_log2(flops: Sequence[float], accuracy: Sequence[float]) -> Fit | None:
    """None with fewer than three points, or all at the same compute: two points always lie on a line."""
    x, y = np.log2(np.asarray(flops, dtype=float)), np.asarray(accuracy, dtype=float)
    if len(x) < 3 or np.ptp(x) == 0:
        return None
    gain, intercept = np.polyfit(x, y, 1)
    residual, total = ((y - gain * x - intercept) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return Fit(float(gain), float(intercept), float(1 - residual / total) if total > 0 else 1.0)


def train_compute(points: Sequence[Row]) -> tuple[list[Series], Axis]:
    """points: cumulative flops of all that led to it, and pass@1; one row a version of baby-o1."""
    ordered = sorted(points, key=lambda row: row["flops"])
    flops, accuracy = [float(p["flops"]) for p in ordered], [float(p["pass@1"]) for p in ordered]
    series = [Series("pass@1", flops, accuracy, plots.BLUE)]
    fit = fit_log2(flops, accuracy)
    if fit:
        ends = [flops[0], flops[-1]]
        line = [fit.intercept + fit.gain * float(np.log2(x)) for x in ends]
        series.append(Series(f"R² {fit.r2:.2f}", ends, line, plots.GREY, None, "dashed"))
    ticks = np.geomspace(flops[0], flops[-1], 4).tolist() if flops[-1] > flops[0] else flops[:1]
    axis = Axis(
        "Accuracy against training compute",
        "FLOPs so far, all stages (log scale)",
        "pass@1",
        log2=True,
        ticks=ticks,
        tick_labels=[count(tick) for tick in ticks],
    )
    return series, axis
