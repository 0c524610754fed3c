"""How much better one way of choosing is: ratios of slopes, and how many uniform labels the same accuracy takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from o1_assets.ablations.intervals import Floats, Interval, interval, interval_of_means

DOUBLINGS = 10.0
"""A label efficiency beyond a factor of 2**10 either way is not told from that factor."""


@dataclass(frozen=True)
class Compared:
    """slope: accuracy a doubling of labels. ratio: of the slopes. efficiency: uniform labels for one of these.

    ratio and efficiency are None where the uniform slope is not distinguishable from 0 (its interval reaches 0).
    """

    slope: Interval
    ratio: Interval | None
    efficiency: Interval | None


def slope_weights(x: Sequence[float]) -> Floats:
    """Weights of y [K] whose sum is the slope of the least-squares line against x [K]."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return np.asarray(centred / (centred**2).sum())


def compare(
    own: Floats, x: Sequence[float], uniform: Floats, uniform_x: Sequence[float], resamples: int, seed: int
) -> Compared:
    """own, uniform: accuracy [sizes, seeds, problems]; x, uniform_x: log2 of the labels of each size.

    ratio is that of Lightman et al. 2023, section 4.2: slopes of the best-fit lines. It says how fast two lines rise
    and not which is higher: a way of choosing that is far worse with few labels and just as good with many has a
    ratio above 1. efficiency is the horizontal distance of the lines at the middle of `own`: 2 to the power of
    (mean(uniform_x) + (mean(own) - mean(uniform)) / slope of uniform - mean(x)).
    """
    rises, uniform_rises = _slopes(own, x), _slopes(uniform, uniform_x)
    slope = interval(rises, resamples, seed)
    if interval(uniform_rises, resamples, seed).low <= 0:
        return Compared(slope, None, None)
    apart = float(np.mean(uniform_x) - np.mean(x))
    gained: Floats = np.asarray(own.mean(0) - uniform.mean(0), dtype=np.float64)
    return Compared(
        slope,
        interval_of_means(lambda a, b: a / b if b else np.inf, (rises, uniform_rises), resamples, seed),
        interval_of_means(lambda gain, b: _factor(gain, b, apart), (gained, uniform_rises), resamples, seed),
    )


def _slopes(accuracy: Floats, x: Sequence[float]) -> Floats:
    """[seeds, problems] of accuracy [sizes, seeds, problems]: their mean is the slope of the mean accuracy."""
    return np.asarray(np.tensordot(slope_weights(x), accuracy, 1), dtype=np.float64)


def _factor(gain: float, slope: float, apart: float) -> float:
    doublings = gain / slope if slope else np.copysign(np.inf, gain)
    return float(2.0 ** np.clip(doublings + apart, -DOUBLINGS, DOUBLINGS))
