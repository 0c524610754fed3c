"""Means over problems and training seeds, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """low, high: 95%. error: standard error."""

    mean: float
    low: float
    high: float
    error: float


def interval(values: Floats, resamples: int, seed: int) -> Interval:
    """Of the mean of `values` [seeds, problems]; for a difference pass a - b, whose seeds and problems are the same."""
    return interval_of_means(lambda mean: mean, (values,), resamples, seed)


def interval_of_means(
    statistic: Callable[..., float], values: Sequence[Floats], resamples: int, seed: int
) -> Interval:
    """Of a statistic of the means of several tables [seeds, problems], whose seeds and problems are the same.

    Seeds and problems are both drawn anew (the pigeonhole bootstrap, Owen 2007, "The pigeonhole bootstrap", section
    4), because another training on other problems is what the result has to hold for. One fewer of each is drawn
    than there are, which makes the variance of few seeds unbiased (Rao and Wu 1988). The mean is the statistic of
    what was measured. Raises ValueError with fewer than two of either.
    """
    seeds, problems = values[0].shape
    if min(seeds, problems) < 2:
        raise ValueError(f"an interval needs two seeds and two problems, not {seeds} and {problems}")
    rng = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    for i in range(resamples):
        own, at = rng.integers(seeds, size=seeds - 1), rng.integers(problems, size=problems - 1)
        drawn[i] = statistic(*(float(table[own].mean(0)[at].mean()) for table in values))
    low, high = np.quantile(drawn, [0.025, 0.975])
    found = statistic(*(float(table.mean()) for table in values))
    return Interval(found, float(low), float(high), float(drawn.std()))


def interval_of_sums(
    parts: Floats, combine: Callable[[Floats], float], resamples: int, seed: int
) -> Interval | None:
    """Of a figure that is no mean over problems, a ratio of sums say.

    parts: [seeds, problems, values], what each problem adds to the sums; combine: the sums [values] -> the figure,
    NaN where it cannot be said. Drawn anew as in `interval`; of a single seed, only the problems are, because nothing
    is known of another one. None where the figure cannot be said. Raises ValueError with fewer than two problems.
    """
    seeds, problems, _ = parts.shape
    if problems < 2:
        raise ValueError(f"an interval needs two problems, not {problems}")
    value = combine(parts.sum((0, 1)))
    if np.isnan(value):
        return None
    rng = np.random.default_rng(seed)
    found = np.empty(resamples)
    for i in range(resamples):
        own = parts[rng.integers(seeds, size=max(1, seeds - 1))].sum(0)
        found[i] = combine(own[rng.integers(problems, size=problems - 1)].sum(0))
    known = found[~np.isnan(found)]
    if not len(known):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(value), float(low), float(high), float(known.std()))


def bounds(found: Interval | None) -> tuple[float | None, float | None, float | None]:
    """mean, low and high; all None where there is none."""
    return (None, None, None) if found is None else (found.mean, found.low, found.high)


def simplest_unbeaten(values: dict[str, Floats], resamples: int, seed: int) -> str:
    """The first of the arms that no other is better than by more than noise: the interval of the difference is above
    0. Arms come from the simplest to the most complicated."""
    for name, own in values.items():
        others = [other for rival, other in values.items() if rival != name]
        if not any(interval(other - own, resamples, seed).low > 0 for other in others):
            return name
    return max(values, key=lambda name: float(values[name].mean()))
