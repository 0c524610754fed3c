"""The two curves as charts with one y axis, to be set side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from o1_assets.ablations.result import Chart
from o1_assets.ablations.two_curves.curve import Curve, Line
from o1_assets.evaluation import plots
from o1_assets.evaluation.plots import Axis, Series
from o1_assets.evaluation.words import count

INVISIBLE = "none"
TRAINING_AXIS = "FLOPs of training so far (log scale)"
TEST_AXIS = "FLOPs a problem (log scale)"


def chart(
    title: str,
    x: str,
    curves: Mapping[str, tuple[Curve, str]],
    fitted: Line | None,
    points: Mapping[str, tuple[float, float]] | None = None,
) -> Chart:
    """curves: label -> the curve and its colour; the first has its intervals as a band, and `fitted` goes through it.

    points: label -> where (FLOPs, accuracy), drawn over the curves.
    """
    series = []
    for i, (label, (curve, color)) in enumerate(curves.items()):
        banded = i == 0 and curve.right.shape[1] > 1
        series.append(
            Series(
                label,
                curve.flops.tolist(),
                curve.accuracy().tolist(),
                color,
                curve.margin().tolist() if banded else None,
            )
        )
    if fitted is not None:
        own = next(iter(curves.values()))[0].flops
        ends = [float(own[0]), float(own[fitted.points - 1])]
        series.append(
            Series(f"R² {fitted.r2:.2f}", ends, [fitted.at(v) for v in ends], plots.GREY, None, "dashed")
        )
    for label, (flops, accuracy) in (points or {}).items():
        series.append(Series(label, [flops], [accuracy], plots.ORANGE, None, "points"))
    shown = [v for one in series for v in one.x]
    ticks = np.geomspace(min(shown), max(shown), 4).tolist()
    labels = [count(tick) for tick in ticks]
    return Chart(series, Axis(title, x, "accuracy", log2=True, ticks=ticks, tick_labels=labels))


def alike(charts: Sequence[Chart]) -> list[Chart]:
    """The same charts with equal y axes: each gets invisible points at the lowest and the highest of them all."""
    ends = [end for one in charts for series in one.series for end in _ends(series)]
    low, high = min(ends), max(ends)
    return [
        replace(
            one,
            series=[
                *one.series,
                Series("", [one.series[0].x[0]] * 2, [low, high], INVISIBLE, None, "points"),
            ],
        )
        for one in charts
    ]


def _ends(series: Series) -> list[float]:
    spread = series.spread or [0.0] * len(series.y)
    seen = [(y, s) for y, s in zip(series.y, spread, strict=True) if y is not None]
    return [min(y - s for y, s in seen), max(y + s for y, s in seen)]
