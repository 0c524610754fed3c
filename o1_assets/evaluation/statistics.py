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


# How much better one way of choosing is: ratios of slopes, and how many uniform labels the same accuracy takes.

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


# A straight line through accuracy against log2 compute, where it has not saturated, with intervals.


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


# A measure against size: means, a least-squares line against log2, and how sure both are over seeds and problems.

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


# Is one selector better than another on the same solutions? The paired difference and its standard error.


@dataclass(frozen=True)
class Paired:
    """difference: mean over problems of (a - b); standard_error: over problems; problems: how many."""

    difference: float
    standard_error: float
    problems: int

    def above(self, errors: float = 2.0) -> bool:
        """Whether a is above b by more than that many standard errors."""
        return self.difference > errors * self.standard_error


def paired(a: NDArray[np.float64], b: NDArray[np.float64]) -> Paired:
    """Compare per-problem accuracies [P] (or [seeds, P], averaged over seeds first: problems are the unit).

    Problems differ far more than selectors do; on the same problems and solutions that difference cancels.
    """
    if a.shape != b.shape:
        raise ValueError(f"not the same problems: shapes {a.shape} and {b.shape}")
    difference = np.atleast_2d(a - b).mean(0)
    if len(difference) < 2:
        raise ValueError("a standard error over problems needs at least two problems")
    return Paired(
        float(difference.mean()),
        float(difference.std(ddof=1) / np.sqrt(len(difference))),
        len(difference),
    )


def share(sums: Floats) -> float:
    """(hits, of how many) -> their ratio."""
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def f1(sums: Floats) -> float:
    """(first errors named, wrong solutions, right ones left alone, right solutions) -> ProcessBench's F1
    (arXiv:2412.06559), the harmonic mean of the two shares."""
    wrong, right = share(sums[:2]), share(sums[2:])
    return 2 * wrong * right / (wrong + right) if wrong + right else wrong + right


def mean_parts(values: Floats) -> Floats:
    """[problems] -> parts of their mean."""
    return np.stack([values, np.ones_like(values)], axis=1)
