"""A straight line through accuracy against log2 compute, where it has not saturated, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScalingFit:
    """accuracy = intercept + gain * log2(compute) over the first `points` points, of `decades` powers of ten.

    gain_low, gain_high, r2_low: 95% bootstrap interval of the gain, and 2.5% quantile of R², over problems. Each
    problem was sampled from seeds of its own, so what is drawn anew with the problems are the seeds too.
    r2_whole, decades_whole: of a line through every point, saturated ones too.
    """

    gain: float
    intercept: float
    r2: float
    points: int
    decades: float
    gain_low: float
    gain_high: float
    r2_low: float
    r2_whole: float
    decades_whole: float


def before_saturation(right: Floats) -> int:
    """How many points there are up to the first that the best one does not beat by its standard error.

    right: [points, problems]. The error is that of the difference on the same problems.
    """
    ahead = right[right.mean(1).argmax()] - right
    error = ahead.std(1, ddof=1) / np.sqrt(right.shape[1])
    return int(np.argmax(ahead.mean(1) <= error)) + 1


def fit(
    compute: Sequence[float], right: Sequence[Floats], resamples: int, seed: int, saturates: bool = True
) -> ScalingFit | None:
    """compute: rising, [points]; right: the same, each [problems]. None with fewer than three points to fit.

    saturates: leave out what comes after `before_saturation`.
    """
    table = np.stack(right)
    problems = table.shape[1]
    points = before_saturation(table) if saturates else len(table)
    if points < 3:
        return None
    every = np.log2(np.asarray(compute, dtype=float))
    x, y = every[:points], table[:points].mean(1)
    gain, intercept = np.polyfit(x, y, 1)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(problems, size=(resamples, problems))
    anew = table[:points][:, drawn].mean(2)
    low, high = np.quantile(np.polyfit(x, anew, 1)[0], [0.025, 0.975])
    return ScalingFit(
        float(gain),
        float(intercept),
        float(r_squared(x, y)),
        points,
        _decades(x),
        float(low),
        float(high),
        float(np.quantile(r_squared(x, anew), 0.025)),
        float(r_squared(every, table.mean(1))),
        _decades(every),
    )


def r_squared(x: Floats, y: Floats) -> Floats:
    """x: [points]; y: [points] or [points, tries]: the share of y's variance that its own line explains, 1 for a
    level one."""
    residual = ((y - _line(x, y)) ** 2).sum(0)
    total = ((y - y.mean(0)) ** 2).sum(0)
    return np.where(total > 0, 1 - residual / np.where(total > 0, total, 1.0), 1.0)


def _line(x: Floats, y: Floats) -> Floats:
    gain, intercept = np.polyfit(x, y, 1)
    return np.multiply.outer(x, gain) + intercept


def _decades(log2: Floats) -> float:
    return float((log2[-1] - log2[0]) * np.log10(2))
