"""The charts of all evaluations, made from rows, for the UI and the report alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from o1_assets.core import plots
from o1_assets.core.formatting import count
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, WEIGHTED
from o1_assets.evaluation.evaluate_policy import PRM
from o1_assets.evaluation.versions import ALL, GENERATOR

Row = Mapping[str, Any]
Rows = Sequence[Row]
Plot = tuple[list[Series], Axis]


@dataclass(frozen=True)
class Look:
    label: str
    color: str
    style: Literal["line", "dashed"] = "line"


# Selector -> how it looks on every chart. min_logprob is the baseline that needs no training.
SELECTORS: Mapping[str, Look] = {
    "prm_product": Look("PRM product", plots.BLUE),
    "prm_minimum": Look("PRM minimum", plots.SKY),
    WEIGHTED + "prm_product": Look("PRM-weighted vote", plots.RED),
    "orm": Look("ORM", plots.ORANGE),
    MAJORITY: Look("majority", plots.PURPLE),
    "min_logprob": Look("least likely token", plots.GREEN),
    PASS: Look("any right", plots.GREY, "dashed"),
}


def best_of_n(rows: Iterable[Row], title: str) -> Plot:
    """rows: selector, n, mean, std (one curve a selector; average over seeds before)."""
    # Read once: rows may come from a generator.
    table = list(rows)
    series = []
    for name, look in SELECTORS.items():
        curve = sorted((row for row in table if row["selector"] == name), key=lambda row: row["n"])
        if curve:
            # A dashed line is a bound and no method: its band would only cover the others'.
            band = [row["std"] for row in curve] if look.style == "line" else None
            x, y = [row["n"] for row in curve], [row["mean"] for row in curve]
            series.append(Series(look.label, x, y, look.color, band, look.style))
    return series, Axis(title, "samples a problem", "accuracy", log2=True)


RANKING = "Right steps ranked above wrong ones (AUC)"

# Chart title -> its lines over the rounds: column of the rounds' table -> how it looks.
LEARNING: Mapping[str, Mapping[str, Look]] = {
    "Accuracy on held-out problems": {
        "prm_best_of_n": Look("PRM best of N", plots.BLUE),
        "majority_at_n": Look("majority", plots.PURPLE),
        "greedy": Look("greedy", plots.GREEN),
        "pass@1": Look("pass@1", plots.ORANGE),
    },
    "How often wrong answers fool the PRM": {
        "fooled_fresh": Look("fresh, best of 16", plots.RED),
        "fooled_pool": Look("fixed pool", plots.PURPLE),
    },
    "Finding the earliest wrong step": {
        "step_f1": Look("F1", plots.BLUE),
        "step_accuracy_wrong": Look("in wrong solutions", plots.RED, "dashed"),
        "step_accuracy_right": Look("in right solutions", plots.GREEN, "dashed"),
    },
    RANKING: {
        "step_auc": Look("all steps", plots.BLUE),
        "hard_step_auc": Look("right but unlikely, wrong but likely", plots.RED),
    },
    "Catching its own mistakes": {
        "wait_share": Look("solutions that say wait", plots.ORANGE),
        "wait_right_share": Look("of these, rightly", plots.GREEN),
    },
}

# k of pass@k -> colour.
PASS_COLORS = {1: plots.ORANGE, 4: plots.BLUE, 16: plots.GREEN, 64: plots.PURPLE, 128: plots.RED}

# Charts whose y axis begins at 0, because a rate of 0 is what their lines are compared with.
RATES = ("How often wrong answers fool the PRM", "Catching its own mistakes")


def learning(rounds: Rows) -> list[Plot]:
    """rounds: one row a round, "round" and any columns of LEARNING; columns nobody has are left out."""
    ordered = sorted(rounds, key=lambda row: row["round"])
    x = [float(row["round"]) for row in ordered]
    charts = []
    for title, lines in LEARNING.items():
        series = [
            Series(
                look.label,
                x,
                [row.get(column) for row in ordered],
                look.color,
                _errors(ordered, column),
                look.style,
            )
            for column, look in lines.items()
            if any(row.get(column) is not None for row in ordered)
        ]
        if series:
            names = [f"{v:.0f}" for v in x]
            axis = Axis(
                title,
                "round",
                "",
                percent=title != RANKING,
                ticks=x,
                tick_labels=names,
                from_zero=title in RATES,
            )
            charts.append((series, axis))
    return charts


def _errors(rows: Rows, column: str) -> list[float] | None:
    """The standard errors of a column, if all rows have one."""
    errors = [row.get(f"{column}_error") for row in rows]
    return [float(error) for error in errors if error is not None] if None not in errors else None


def pass_at_k(rows: Rows) -> Plot:
    """rows: round (GENERATOR is GPT*), k, mean, error."""
    ordered = sorted(rows, key=lambda row: row["round"])
    series = []
    for k, color in PASS_COLORS.items():
        if curve := [row for row in ordered if row["k"] == k]:
            x, y = [float(row["round"]) for row in curve], [row["mean"] for row in curve]
            series.append(Series(f"pass@{k}", x, y, color, [row["error"] for row in curve]))
    ticks = [float(k) for k in dict.fromkeys(row["round"] for row in ordered)]
    names = ["GPT*" if k == GENERATOR else f"{k:.0f}" for k in ticks]
    return series, Axis("One of k solutions is right", "round", "", ticks=ticks, tick_labels=names)


def best_against_any(rows: Rows) -> Plot:
    """rows: model, selector (the PRM's, or PASS), n, mean, error."""
    series = []
    models = list(dict.fromkeys(row["model"] for row in rows))
    for model, color in zip(models, (plots.ORANGE, plots.BLUE), strict=False):
        for selector, what in ((PASS, "any right"), (PRM, "the PRM's choice")):
            curve = sorted(
                (row for row in rows if (row["model"], row["selector"]) == (model, selector)),
                key=lambda row: row["n"],
            )
            x, y = [row["n"] for row in curve], [row["mean"] for row in curve]
            error = None if selector == PASS else [row["error"] for row in curve]
            style: Literal["line", "dashed"] = "dashed" if selector == PASS else "line"
            series.append(Series(f"{model}, {what}", x, y, color, error, style))
    return series, Axis("Any right, and the PRM's choice", "samples a problem", "accuracy", log2=True)


# Accuracy against test-time compute, and what limits and waits do to single chains (eval/thinking).

STRATEGY_COLORS = {
    "consistency": plots.PURPLE,
    "best-of-n": plots.BLUE,
    "weighted": plots.SKY,
    "posterior": plots.BLUE,
    "beam": plots.GREEN,
    "posterior-beam": plots.GREEN,
    "dvts": plots.GREY,
    "mcts": plots.RED,
    "mcts, Q-value": plots.ORANGE,
    "astar": plots.ORANGE,
    "adaptive": plots.INK,
    # In the color of what they are until an answer passes.
    "checked": plots.PURPLE,
    "checked-beam": plots.GREEN,
    "compute-optimal": plots.INK,
}

DASHED = (
    "posterior",
    "posterior-beam",
    "mcts, Q-value",
    "dvts",
    "compute-optimal",
    "checked",
    "checked-beam",
)
LEVEL_COLORS = {"easy": plots.GREEN, ALL: plots.INK, "medium": plots.BLUE, "hard": plots.RED}
FLOPS_AXIS = "FLOPs a problem, reward models included (log scale)"


def thinking_chart(rows: Rows, model: str, difficulty: str = ALL) -> Plot:
    """rows: of points.parquet, of any models and difficulties."""
    series = []
    for strategy, color in STRATEGY_COLORS.items():
        curve = sorted(
            # A small budget of a tree search often ends without any answer: 0% would only stretch the axis.
            (row for row in _select(rows, model, strategy, difficulty) if row["accuracy"] > 0),
            key=lambda row: row["flops"],
        )
        if curve:
            x, y = [row["flops"] for row in curve], [row["accuracy"] for row in curve]
            series.append(Series(strategy, x, y, color, None, "dashed" if strategy in DASHED else "line"))
    problems = "all problems" if difficulty == ALL else f"the {difficulty} third"
    return series, flops_axis(series, f"{model} thinking longer, {problems}")


def optimal_chart(rows: Rows, fits: Rows, model: str) -> Plot:
    """The compute-optimal curve over all problems and each third of them, and the line through the first."""
    series = []
    for level, color in LEVEL_COLORS.items():
        if curve := _select(rows, model, "compute-optimal", level):
            x, y = [row["flops"] for row in curve], [row["accuracy"] for row in curve]
            # Bands of four curves on one chart cannot be told apart.
            spread = [row["accuracy_error"] for row in curve] if level == ALL else None
            series.append(Series(level, x, y, color, spread))
    if series:
        for fitted in _select(fits, model, "compute-optimal", ALL):
            ends = [series[0].x[0], series[0].x[fitted["points"] - 1]]
            y = [fitted["intercept"] + fitted["gain"] * float(np.log2(x)) for x in ends]
            label = f"R² {fitted['r2']:.2f}, {fitted['decades']:.1f} decades"
            series.append(Series(label, ends, y, plots.GREY, None, "dashed"))
    return series, flops_axis(series, f"{model}: the best way of thinking for the compute")


def limits_chart(rows: Rows) -> Plot:
    """rows: of points.parquet. Chains with a limit, cut off there or asked for their answer."""
    series = []
    for model, color in (("baby-o1", plots.BLUE), ("GPT*", plots.ORANGE)):
        for strategy, how in (("chain, answer forced", "forced"), ("chain, cut off", "cut off")):
            if curve := sorted(_select(rows, model, strategy, ALL), key=lambda row: row["budget"]):
                x, y = [float(row["budget"]) for row in curve], [row["accuracy"] for row in curve]
                error = [row["accuracy_error"] for row in curve] if how == "forced" else None
                style: Literal["line", "dashed"] = "line" if how == "forced" else "dashed"
                series.append(Series(f"{model}, {how}", x, y, color, error, style))
    title = "One chain with a limit: forced to answer, or cut off"
    return series, Axis(title, "limit in tokens", "accuracy", from_zero=True)


def waits_chart(rows: Rows) -> Plot:
    """rows: of waits.parquet."""
    series = []
    for model, color in (("baby-o1", plots.BLUE), ("GPT*", plots.ORANGE)):
        curve = [row for row in rows if row["model"] == model]
        if curve:
            x, y = [float(row["waits"]) for row in curve], [row["accuracy"] for row in curve]
            series.append(Series(model, x, y, color, [row["accuracy_error"] for row in curve]))
    title = 'One chain extended: "wait" in place of its answer'
    return series, Axis(title, "times it was made to doubt", "accuracy")


def thinking_charts(points: Rows, fits: Rows) -> list[Plot]:
    """The compute-optimal curve of each model, every strategy over all problems, and the last model's over the easy
    and the hard ones."""
    models = list(dict.fromkeys(row["model"] for row in points))
    charts = [optimal_chart(points, fits, model) for model in models]
    charts += [thinking_chart(points, model) for model in models]
    charts += [thinking_chart(points, models[-1], part) for part in ("easy", "hard") if models]
    return [chart for chart in charts if chart[0]]


def flops_axis(series: Sequence[Series], title: str, label: str = FLOPS_AXIS, ticks: int = 5) -> Axis:
    """A log axis over all that the series show, with ticks a person can read."""
    x = [value for line in series for value in line.x]
    # Powers of two would be the default of a log2 axis: "2^31" tells nobody how many FLOPs that are.
    at = np.geomspace(min(x), max(x), ticks).tolist() if x else []
    return Axis(title, label, "accuracy", log2=True, ticks=at, tick_labels=[count(tick) for tick in at])


def _select(rows: Rows, model: str, strategy: str, difficulty: str) -> list[Row]:
    wanted = (model, strategy, difficulty)
    return [row for row in rows if (row["model"], row["strategy"], row["difficulty"]) == wanted]
