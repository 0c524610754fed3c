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

    gain_low, gain_high: 95% bootstrap interval over problems.
    """

    gain: float
    intercept: float
    r2: float
    points: int
    decades: float
    gain_low: float
    gain_high: float


def before_saturation(accuracy: Floats, standard_error: Floats) -> int:
    """How many points there are up to the first that is within one standard error of the best one."""
    best = int(accuracy.argmax())
    return int(np.argmax(accuracy >= accuracy[best] - standard_error[best])) + 1


def fit(compute: Sequence[float], right: Sequence[Floats], resamples: int, seed: int) -> ScalingFit | None:
    """compute: rising, [points]; right: the same, each [problems]. None with fewer than three points to fit."""
    table = np.stack(right)
    accuracy, problems = table.mean(1), table.shape[1]
    error = table.std(1, ddof=1) / np.sqrt(problems)
    points = before_saturation(accuracy, error)
    if points < 3:
        return None
    x, y = np.log2(np.asarray(compute[:points], dtype=float)), accuracy[:points]
    gain, intercept = np.polyfit(x, y, 1)
    residual, total = ((y - gain * x - intercept) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    rng = np.random.default_rng(seed)
    drawn = rng.integers(problems, size=(resamples, problems))
    gains = np.polyfit(x, table[:points][:, drawn].mean(2), 1)[0]
    low, high = np.quantile(gains, [0.025, 0.975])
    return ScalingFit(
        float(gain),
        float(intercept),
        float(1 - residual / total) if total > 0 else 1.0,
        points,
        float((x[-1] - x[0]) * np.log10(2)),
        float(low),
        float(high),
    )
