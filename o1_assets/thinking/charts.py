"""The chart of thinking time: accuracy against test-time compute, a line a strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from o1_assets.evaluation import plots
from o1_assets.evaluation.plots import Axis, Series
from o1_assets.evaluation.words import count

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
}
DASHED = ("mcts, Q-value", "dvts")


def thinking_chart(
    rows: Sequence[dict[str, Any]], model: str, difficulty: str = "all"
) -> tuple[list[Series], Axis]:
    """rows: as `evaluate` makes them, of any models and difficulties."""
    mine = [row for row in rows if row["model"] == model and row["difficulty"] == difficulty]
    series = []
    for strategy, color in COLORS.items():
        own = [row for row in mine if row["strategy"] == strategy and row["accuracy"] > 0]
        if own:
            x, y = [row["flops"] for row in own], [row["accuracy"] for row in own]
            series.append(Series(strategy, x, y, color, None, "dashed" if strategy in DASHED else "line"))
    all_flops = [x for one in series for x in one.x]
    ticks = np.geomspace(min(all_flops), max(all_flops), 5).tolist() if all_flops else []
    problems = "held-out problems" if difficulty == "all" else f"the {difficulty} third of the problems"
    axis = Axis(
        f"{model} thinking longer, {problems}",
        "FLOPs a problem, reward models included (log scale)",
        "accuracy",
        log2=True,
        ticks=ticks,
        tick_labels=[count(tick) for tick in ticks],
    )
    return series, axis


def thinking_charts(rows: Sequence[dict[str, Any]]) -> list[tuple[list[Series], Axis]]:
    """Every model over all problems, then the last one over the easy and the hard ones."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    charts = [thinking_chart(rows, model) for model in models]
    return charts + [thinking_chart(rows, models[-1], part) for part in ("easy", "hard") if models]
