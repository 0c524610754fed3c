"""The charts of ablations/scale/result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2

from o1_assets.core.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, Axis, Series
from o1_assets.evaluation.statistics import Trend
from o1_assets.experiments.result import Chart


def accuracy(trends: Mapping[str, Trend], compute: Mapping[str, Sequence[float]], n: int) -> Chart:
    """Accuracy against the training compute of all that it rests on, in TFLOP."""
    shown = {
        "base_pass@1": ("base, pass@1", GREY),
        "pass@1": ("GPT*, pass@1", PURPLE),
        f"majority@{n}": (f"majority of {n}", ORANGE),
        f"orm@{n}": (f"best of {n}, ORM", GREEN),
        f"prm@{n}": (f"best of {n}, PRM", BLUE),
    }
    series = [
        _line(label, [flops / 1e12 for flops in compute[name]], trends[name], color)
        for name, (label, color) in shown.items()
        if name in trends
    ]
    ticks = sorted({2.0 ** round(log2(x)) for one in series for x in one.x})
    axis = Axis(
        "Accuracy against training compute, equal data", "training compute, TFLOP", "accuracy", log2=True,
        ticks=ticks, from_zero=True,
    )  # fmt: skip
    return Chart(series, axis)


def advantages(trends: Mapping[str, Trend], parameters: Sequence[int], n: int) -> Chart:
    """PRM minus ORM and PRM minus majority against size."""
    x = [p / 1e6 for p in parameters]
    series = [
        _line("PRM minus ORM", x, trends[f"prm_minus_orm@{n}"], GREEN),
        _line("PRM minus majority", x, trends[f"prm_minus_majority@{n}"], ORANGE),
    ]
    axis = Axis(
        f"The PRM's advantage, best of {n}", "million parameters", "difference in accuracy", log2=True,
        ticks=x, tick_labels=[f"{v:.1f}" for v in x],
    )  # fmt: skip
    return Chart(series, axis)


def feature(trends: Mapping[str, Trend], x: Sequence[float], unit: str, n: int) -> Chart:
    """What the probability feature gives the PRM: in best of N, and in step F1."""
    series = [_line(f"best of {n}", x, trends[f"feature_gain@{n}"], BLUE)]
    if "feature_gain_step_f1" in trends:
        series.append(_line("step F1", x, trends["feature_gain_step_f1"], SKY))
    axis = Axis(
        "PRM with the probability feature minus PRM without", unit, "difference", log2=True,
        ticks=x, tick_labels=[f"{v:.2g}" for v in x],
    )  # fmt: skip
    return Chart(series, axis)


def _line(label: str, x: Sequence[float], found: Trend, color: str) -> Series:
    spread = [(point.high - point.low) / 2 for point in found.points]
    return Series(label, list(x), [point.mean for point in found.points], color, spread=spread)
