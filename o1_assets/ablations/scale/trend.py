"""A measure against size: means, a least-squares line against log2, and how sure both are over seeds and problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from o1_assets.ablations.intervals import Floats, Interval
from o1_assets.thinking.fit import r_squared

DIGITS = 12
"""Of a slope: what is smaller is the arithmetic's own noise, and no trend."""


@dataclass(frozen=True)
class Trend:
    """gain: of the line, for each doubling of x; low, high: 95%. r2: of the line through the means. points: each
    model's mean with its interval."""

    gain: float
    low: float
    high: float
    r2: float
    points: tuple[Interval, ...]

    @property
    def verdict(self) -> str:
        if self.low > 0:
            return "stronger"
        return "weaker" if self.high < 0 else "no trend beyond noise"


def trend(x: Sequence[float], values: Sequence[Floats], resamples: int, seed: int) -> Trend:
    """x: [models], above 0. values: of each model [seeds, problems], the problems the same for all.

    Raises ValueError with fewer than two models or two different x.
    """
    if len(set(x)) < 2:
        raise ValueError("a trend needs models of at least two sizes")
    log2 = np.log2(np.asarray(x, dtype=float))
    means = np.array([one.mean() for one in values])
    drawn = resampled_means(values, resamples, seed)
    gains = np.polyfit(log2, drawn.T, 1)[0]
    points = tuple(_interval(mean, own) for mean, own in zip(means.tolist(), drawn.T, strict=True))
    low, high = np.quantile(gains, [0.025, 0.975])
    gain = np.polyfit(log2, means, 1)[0]
    gain, low, high = (round(float(one), DIGITS) + 0.0 for one in (gain, low, high))
    return Trend(gain, low, high, float(r_squared(log2, means)), points)


def resampled_means(values: Sequence[Floats], resamples: int, seed: int) -> Floats:
    """[resamples, models]: problems drawn anew for all models together, the seeds of each for itself, as in
    `intervals.interval`.

    A model trained once is given the spread of the others' trainings: its mean moves by a difference drawn from
    theirs (with no other trained twice, only problems are drawn anew).
    """
    rng = np.random.default_rng(seed)
    problems = values[0].shape[1]
    spread = [
        (one.mean(1) - one.mean()) * np.sqrt(len(one) / (len(one) - 1)) for one in values if len(one) > 1
    ]
    differences = np.concatenate(spread) if spread else np.zeros(1)
    means = np.empty((resamples, len(values)))
    for i in range(resamples):
        chosen = rng.integers(problems, size=max(1, problems - 1))
        for m, one in enumerate(values):
            seeds = len(one)
            if seeds > 1:
                means[i, m] = one[rng.integers(seeds, size=seeds - 1)].mean(0)[chosen].mean()
            else:
                means[i, m] = one[0][chosen].mean() + rng.choice(differences)
    return means


def _interval(mean: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(mean, float(low), float(high), float(drawn.std()))
