"""The charts of thinking time: accuracy against test-time compute, and what limits and waits do to single chains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from o1_assets.core import plots
from o1_assets.core.formatting import count
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation.difficulty import ALL

Rows = Sequence[dict[str, Any]]


COLORS = {
    "consistency": plots.PURPLE,
    "best-of-n": plots.BLUE,
    "weighted": plots.SKY,
    "beam": plots.GREEN,
    "dvts": plots.GREY,
    "mcts": plots.RED,
    "mcts, Q-value": plots.ORANGE,
    "astar": plots.ORANGE,
    "adaptive": plots.INK,
    "compute-optimal": plots.INK,
}


DASHED = ("mcts, Q-value", "dvts", "compute-optimal")


LEVEL_COLORS = {"easy": plots.GREEN, ALL: plots.INK, "medium": plots.BLUE, "hard": plots.RED}


FLOPS_AXIS = "FLOPs a problem, reward models included (log scale)"


def thinking_chart(rows: Rows, model: str, difficulty: str = ALL) -> tuple[list[Series], Axis]:
    """rows: of points.parquet, of any models and difficulties."""
    mine = [row for row in rows if row["model"] == model and row["difficulty"] == difficulty]
    series = []
    for strategy, color in COLORS.items():
        own = sorted((row for row in mine if row["strategy"] == strategy), key=lambda row: row["flops"])
        if own := [row for row in own if row["accuracy"] > 0]:
            x, y = [row["flops"] for row in own], [row["accuracy"] for row in own]
            series.append(Series(strategy, x, y, color, None, "dashed" if strategy in DASHED else "line"))
    problems = "all problems" if difficulty == ALL else f"the {difficulty} third"
    return series, flops_axis(series, f"{model} thinking longer, {problems}")


def optimal_chart(rows: Rows, fits: Rows, model: str) -> tuple[list[Series], Axis]:
    """The compute-optimal curve over all problems and each third of them, and the line through the first."""
    series = []
    for level, color in LEVEL_COLORS.items():
        own = [
            row
            for row in rows
            if (row["model"], row["strategy"], row["difficulty"]) == (model, "compute-optimal", level)
        ]
        if own:
            x, y = [row["flops"] for row in own], [row["accuracy"] for row in own]
            spread = [row["accuracy_error"] for row in own] if level == ALL else None
            series.append(Series(level, x, y, color, spread))
    for line in fits:
        if series and (line["model"], line["strategy"], line["difficulty"]) == (
            model,
            "compute-optimal",
            ALL,
        ):
            ends = [series[0].x[0], series[0].x[line["points"] - 1]]
            on = [line["intercept"] + line["gain"] * float(np.log2(x)) for x in ends]
            label = f"R² {line['r2']:.2f}, {line['decades']:.1f} decades"
            series.append(Series(label, ends, on, plots.GREY, None, "dashed"))
    return series, flops_axis(series, f"{model}: the best way of thinking for the compute")


def limits_chart(rows: Rows) -> tuple[list[Series], Axis]:
    """rows: of points.parquet. Chains with a limit, cut off there or asked for their answer."""
    looks = {
        ("baby-o1", "chain, answer forced"): ("baby-o1, forced", plots.BLUE, "line"),
        ("baby-o1", "chain, cut off"): ("baby-o1, cut off", plots.BLUE, "dashed"),
        ("GPT*", "chain, answer forced"): ("GPT*, forced", plots.ORANGE, "line"),
        ("GPT*", "chain, cut off"): ("GPT*, cut off", plots.ORANGE, "dashed"),
    }
    series = []
    for (model, strategy), (label, color, style) in looks.items():
        own = sorted(
            (r for r in rows if (r["model"], r["strategy"], r["difficulty"]) == (model, strategy, ALL)),
            key=lambda row: row["budget"],
        )
        if own:
            x, y = [float(row["budget"]) for row in own], [row["accuracy"] for row in own]
            error = [row["accuracy_error"] for row in own] if style == "line" else None
            series.append(Series(label, x, y, color, error, "dashed" if style == "dashed" else "line"))
    return series, Axis(
        "One chain with a limit: forced to answer, or cut off", "limit in tokens", "accuracy", from_zero=True
    )


def waits_chart(rows: Rows) -> tuple[list[Series], Axis]:
    """rows: of waits.parquet."""
    series = []
    for model, color in (("baby-o1", plots.BLUE), ("GPT*", plots.ORANGE)):
        own = [row for row in rows if row["model"] == model]
        if own:
            x, y = [float(row["waits"]) for row in own], [row["accuracy"] for row in own]
            series.append(Series(model, x, y, color, [row["accuracy_error"] for row in own]))
    return series, Axis(
        'One chain extended: "wait" in place of its answer', "times it was made to doubt", "accuracy"
    )


def thinking_charts(points: Rows, fits: Rows) -> list[tuple[list[Series], Axis]]:
    """The compute-optimal curve of each model, every strategy over all problems, and the last model's over the easy
    and the hard ones."""
    models = list(dict.fromkeys(row["model"] for row in points))
    charts = [optimal_chart(points, fits, model) for model in models]
    charts += [thinking_chart(points, model) for model in models]
    charts += [thinking_chart(points, models[-1], part) for part in ("easy", "hard") if models]
    return [chart for chart in charts if chart[0]]


def flops_axis(series: Sequence[Series], title: str) -> Axis:
    """A log axis over all that the series show, with ticks a person can read."""
    x = [value for one in series for value in one.x]
    ticks = np.geomspace(min(x), max(x), 5).tolist() if x else []
    return Axis(
        title, FLOPS_AXIS, "accuracy", log2=True, ticks=ticks, tick_labels=[count(tick) for tick in ticks]
    )
