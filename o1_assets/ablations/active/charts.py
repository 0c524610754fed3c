"""Accuracy against labels, a line a strategy."""

from __future__ import annotations

import polars as pl

from o1_assets.ablations.active.config import STRATEGIES
from o1_assets.ablations.result import Chart
from o1_assets.evaluation import plots
from o1_assets.evaluation.plots import Axis, Series

COLORS = dict(zip(STRATEGIES, (plots.GREY, plots.BLUE, plots.ORANGE), strict=True))
LABELS = dict(zip(STRATEGIES, ("uniform", "80/20 wrong", "uncertain"), strict=True))
TITLES = {"scratch": "PRMs from the chosen labels alone", "added": "Chosen labels added to phase 1"}


def chart(rows: pl.DataFrame, measure: str, column: str, words: str, setting: str) -> Chart:
    """rows: of one setting, as the table "sizes" has them. column: what x is; bands are the standard error."""
    series = []
    for strategy in STRATEGIES:
        own = rows.filter(pl.col("strategy") == strategy)
        x, y, error = (own[name].cast(pl.Float64).to_list() for name in (column, "accuracy", "error"))
        series.append(Series(LABELS[strategy], x, y, COLORS[strategy], spread=error))
    ticks = rows["solutions"].unique().sort().cast(pl.Float64).to_list() if column == "solutions" else None
    if ticks is None:
        lowest, highest = rows[column].min(), rows[column].max()
        ticks = [2.0**k for k in range(4, 24) if float(str(lowest)) <= 2.0**k <= float(str(highest))]
    return Chart(series, Axis(f"{TITLES[setting]}: {measure}", words, "accuracy", log2=True, ticks=ticks))
