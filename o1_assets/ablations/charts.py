"""The chart of an experiment: each arm's mean with its interval, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from o1_assets.evaluation import plots
from o1_assets.evaluation.plots import Axis, Series


def arms_chart(rows: Sequence[dict[str, Any]], title: str) -> tuple[list[Series], Axis]:
    """rows: of one measure, arms in order, as `arms.arm_differences` gives them. The control is grey."""
    series = []
    for i, row in enumerate(rows):
        color = plots.BLUE if i else plots.GREY
        series.append(Series("", [i, i], [row["low"], row["high"]], color))
        series.append(Series("", [i], [row["mean"]], color, style="points"))
    names = [str(row["arm"]).replace("_", "\n") for row in rows]
    measure = str(rows[0]["measure"]).replace("_", " ") if rows else ""
    return series, Axis(f"{title}: {measure}", "", "accuracy", ticks=range(len(rows)), tick_labels=names)
