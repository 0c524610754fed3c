"""How sure a figure is: one bootstrap over training seeds and problems, and the lines and differences that use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Takes one array of drawn indices for each axis and gives a number, or an array of them.
Statistic = Callable[..., Any]


@dataclass(frozen=True)
class Interval:
    """low, high: 95%, the 2.5% and 97.5% quantiles of the bootstrap. error: standard error, its standard deviation."""

    mean: float
    low: float
    high: float
    error: float


def draws(axes: Sequence[int]) -> tuple[int, ...]:
    """How many units are drawn along each axis: all n units of a single axis, n - 1 of the n units of crossed axes.

    axes: the number of units of each axis.

    This is the one rule behind every "95%" of the project. Problems alone are drawn as Efron (1979, "Bootstrap
    methods: another look at the jackknife") does, n of n: there are a hundred or more, so that a correction by
    sqrt(n / (n - 1)) would be half a percent of the interval's width. Trainings crossed with problems are few
    clusters: with three seeds, n of n would give 2/3 of their variance. n - 1 of n along each axis makes the variance
    of a mean unbiased (Rao and Wu 1988, "Resampling inference with complex survey data"). An axis with a single unit
    is not drawn anew, because nothing is known of another one, and does not count as crossed.
    """
    crossed = sum(units > 1 for units in axes) > 1
    return tuple(units - 1 if crossed and units > 1 else units for units in axes)


def bootstrap(
    statistic: Statistic,
    axes: Sequence[int],
    resamples: int,
    seed: int,
    sizes: Sequence[int] | None = None,
) -> Floats:
    """The statistic of each resample: [resamples], or [resamples, ...] where it is an array.

    axes: how many units each axis has, (trainings, problems) say. All are drawn with replacement and independently of
    each other (the pigeonhole bootstrap, Owen 2007, section 4), because the result has to hold for another training
    on other problems. sizes: how many are drawn along each axis, as `draws` says unless given.

        table = np.random.rand(3, 100)    # [trainings, problems]
        bootstrap(lambda t, p: table[t].mean(0)[p].mean(), table.shape, 2000, seed=0)
    """
    rng = np.random.default_rng(seed)
    sizes = draws(axes) if sizes is None else sizes
    # One resample after another, each axis in turn: a vectorized draw would give other random numbers, and so other
    # intervals than the published ones.
    return np.array(
        [
            statistic(*(rng.integers(units, size=size) for units, size in zip(axes, sizes, strict=True)))
            for _ in range(resamples)
        ]
    )


def interval(values: Floats, resamples: int, seed: int) -> Interval:
    """Of the mean of `values` [seeds, problems]; for a difference pass a - b, whose seeds and problems are the same."""
    return interval_of_means(lambda mean: mean, (values,), resamples, seed)


def interval_of_means(
    statistic: Callable[..., float], values: Sequence[Floats], resamples: int, seed: int
) -> Interval:
    """Of a statistic of the means of several tables [seeds, problems], whose seeds and problems are the same.

    The mean is the statistic of what was measured. Raises ValueError with fewer than two seeds or problems.
    """
    seeds, problems = values[0].shape
    if min(seeds, problems) < 2:
        raise ValueError(f"an interval needs two seeds and two problems, not {seeds} and {problems}")
    drawn = bootstrap(
        # Seeds are averaged first, [problems], and then the drawn problems: the same as one mean over both.
        lambda s, p: statistic(*(float(table[s].mean(0)[p].mean()) for table in values)),
        (seeds, problems),
        resamples,
        seed,
    )
    return _interval(statistic(*(float(table.mean()) for table in values)), drawn)


def interval_of_sums(
    parts: Floats, combine: Callable[[Floats], float], resamples: int, seed: int
) -> Interval | None:
    """Of a figure that is no mean over problems, for example a ratio of sums.

    parts: [seeds, problems, values], what each problem adds to the sums; combine: the sums [values] -> the figure, NaN
    where it is undefined. None where the figure is undefined, or is in every resample. Raises ValueError with fewer
    than two problems.
    """
    seeds, problems, _ = parts.shape
    if problems < 2:
        raise ValueError(f"an interval needs two problems, not {problems}")
    value = combine(parts.sum((0, 1)))
    return interval_around(
        value, bootstrap(lambda s, p: combine(parts[s].sum(0)[p].sum(0)), (seeds, problems), resamples, seed)
    )


def interval_around(value: float, drawn: Floats) -> Interval | None:
    """value: the statistic of what was measured; drawn: of its resamples. None where either is undefined, NaN."""
    # Without any wrong solution among the drawn problems, say, F1 is undefined: such a resample says nothing.
    defined = drawn[~np.isnan(drawn)]
    return None if np.isnan(value) or not len(defined) else _interval(value, defined)


def _interval(value: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(value), float(low), float(high), float(drawn.std()))


def bounds(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    """mean, low and high; all None where there is none."""
    return (None, None, None) if interval is None else (interval.mean, interval.low, interval.high)


def simplest_unbeaten(values: dict[str, Floats], resamples: int, seed: int) -> str:
    """The first arm that no other beats by more than noise: that no interval of a difference lies above 0.

    values: arm -> [seeds, problems], from the simplest arm to the most complicated one.
    """
    for name, table in values.items():
        rivals = [other for rival, other in values.items() if rival != name]
        if not any(interval(rival - table, resamples, seed).low > 0 for rival in rivals):
            return name
    # With three arms each can be beaten by the next in a circle.
    return max(values, key=lambda name: float(values[name].mean()))


def share(sums: Floats) -> float:
    """(hits, of how many) -> their ratio."""
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def f1(sums: Floats) -> float:
    """(first errors named, wrong solutions, right ones left alone, right solutions) -> ProcessBench's F1
    (arXiv:2412.06559), the harmonic mean of the two shares."""
    wrong, right = share(sums[:2]), share(sums[2:])
    return 2 * wrong * right / (wrong + right) if wrong + right else wrong + right


def mean_parts(values: Floats) -> Floats:
    """[problems] -> [problems, 2], parts of their mean for `interval_of_sums` with `share`."""
    return np.stack([values, np.ones_like(values)], axis=1)


# Straight lines: accuracy against log2 of compute, or of a model's size.


@dataclass(frozen=True)
class LeastSquares:
    """y = intercept + gain * x by least squares, and 95% intervals of gain and R² over problems."""

    gain: float
    intercept: float
    r2: float
    gain_low: float
    gain_high: float
    r2_low: float
    r2_high: float


def line(x: Floats, table: Floats, resamples: int, seed: int) -> LeastSquares:
    """x: [points]; table: [points, problems], a line through whose means is wanted."""
    y = table.mean(1)
    gain, intercept = np.polyfit(x, y, 1)
    # [points, resamples]: all points see the same drawn problems, as they were measured on the same.
    means = bootstrap(lambda p: table[:, p].mean(1), table.shape[1:], resamples, seed).T
    gain_low, gain_high = np.quantile(np.polyfit(x, means, 1)[0], [0.025, 0.975])
    r2_low, r2_high = np.quantile(r_squared(x, means), [0.025, 0.975])
    values = (gain, intercept, r_squared(x, y), gain_low, gain_high, r2_low, r2_high)
    return LeastSquares(*(float(value) for value in values))


def r_squared(x: Floats, y: Floats) -> Floats:
    """Share of y's variance that its own least-squares line explains, 1 for a level y. x: [points]; y: [points] or
    [points, lines]."""
    gain, intercept = np.polyfit(x, y, 1)
    residual = ((y - (np.multiply.outer(x, gain) + intercept)) ** 2).sum(0)
    total = ((y - y.mean(0)) ** 2).sum(0)
    return np.where(total > 0, 1 - residual / np.where(total > 0, total, 1.0), 1.0)


def before_saturation(right: Floats) -> int:
    """How many points there are up to the first that the best one does not beat by its standard error.

    right: [points, problems]. The error is that of the difference on the same problems, because problems differ far
    more than budgets do.
    """
    ahead = right[right.mean(1).argmax()] - right
    error = ahead.std(1, ddof=1) / np.sqrt(right.shape[1])
    return int(np.argmax(ahead.mean(1) <= error)) + 1


@dataclass(frozen=True)
class ScalingFit:
    """accuracy = intercept + gain * log2(compute) over the first `points` points, of `decades` powers of ten.

    gain_low, gain_high, r2_low: 95% interval of the gain, and 2.5% quantile of R², over problems. Each problem was
    sampled from seeds of its own, so drawing problems anew draws the sampling anew too. r2_whole, decades_whole: of a
    line through every point, saturated ones too.
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


def fit(
    compute: Sequence[float], right: Sequence[Floats], resamples: int, seed: int, saturates: bool = True
) -> ScalingFit | None:
    """compute: rising, [points]; right: the same, each [problems]. None with fewer than three points to fit.

    saturates: leave out what comes after `before_saturation`, because accuracy has a ceiling and a logarithm has none.
    """
    table = np.stack(right)
    points = before_saturation(table) if saturates else len(table)
    if points < 3:
        return None
    x = np.log2(np.asarray(compute, dtype=float))
    fitted = line(x[:points], table[:points], resamples, seed)
    return ScalingFit(
        fitted.gain,
        fitted.intercept,
        fitted.r2,
        points,
        _decades(x[:points]),
        fitted.gain_low,
        fitted.gain_high,
        fitted.r2_low,
        float(r_squared(x, table.mean(1))),
        _decades(x),
    )


def _decades(log2: Floats) -> float:
    return float((log2[-1] - log2[0]) * np.log10(2))


# Decimals of a slope: equal accuracies give slopes of some 1e-17, which are the arithmetic's noise and no trend.
DIGITS = 12


@dataclass(frozen=True)
class Trend:
    """A measure against model size.

    gain: of the line, for each doubling of x; low, high: 95%. r2: of the line through the means. points: each model's
    mean with its interval.
    """

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
    means = np.array([table.mean() for table in values])
    drawn = resampled_means(values, resamples, seed)  # [resamples, models]
    gains = np.polyfit(log2, drawn.T, 1)[0]
    points = tuple(_interval(mean, column) for mean, column in zip(means.tolist(), drawn.T, strict=True))
    low, high = np.quantile(gains, [0.025, 0.975])
    gain = np.polyfit(log2, means, 1)[0]
    # + 0.0 makes -0.0 positive, so that no table shows "-0.000".
    gain, low, high = (round(float(slope), DIGITS) + 0.0 for slope in (gain, low, high))
    return Trend(gain, low, high, float(r_squared(log2, means)), points)


def resampled_means(values: Sequence[Floats], resamples: int, seed: int) -> Floats:
    """[resamples, models]: the same problems are drawn for all models, the trainings of each for itself.

    A model trained once is given the spread of the others' trainings: its mean moves by a difference drawn from
    theirs. Otherwise the largest model, which is too dear to train three times, would look the surest. With no other
    model trained twice, only problems are drawn anew.
    """
    # sqrt(n / (n - 1)): deviations from a mean of n values are that much too small.
    deviations = [
        (table.mean(1) - table.mean()) * np.sqrt(len(table) / (len(table) - 1))
        for table in values
        if len(table) > 1
    ]
    borrowed = np.concatenate(deviations) if deviations else np.zeros(1)

    def means(problems: NDArray[np.int64], *trainings: NDArray[np.int64]) -> list[float]:
        return [
            table[drawn].mean(0)[problems].mean()
            if len(table) > 1
            else table[0][problems].mean() + borrowed[drawn[0]]
            for table, drawn in zip(values, trainings, strict=True)
        ]

    trainings = [len(table) for table in values]
    problems, *sizes = draws((values[0].shape[1], *trainings))
    axes = [n if n > 1 else len(borrowed) for n in trainings]
    return bootstrap(means, (values[0].shape[1], *axes), resamples, seed, (problems, *sizes))


# Two selectors on the same solutions.


@dataclass(frozen=True)
class Paired:
    """difference: mean over problems of (a - b); standard_error: over problems; problems: how many."""

    difference: float
    standard_error: float
    problems: int

    def above(self, errors: float = 2.0) -> bool:
        """Whether a is above b by more than that many standard errors."""
        return self.difference > errors * self.standard_error


def paired(a: Floats, b: Floats) -> Paired:
    """Compare per-problem accuracies [P] (or [seeds, P], averaged over seeds first: problems are the unit).

    Problems differ far more than selectors do; on the same problems and solutions that difference cancels. Raises
    ValueError for different shapes or fewer than two problems.
    """
    if a.shape != b.shape:
        raise ValueError(f"not the same problems: shapes {a.shape} and {b.shape}")
    difference = np.atleast_2d(a - b).mean(0)
    if len(difference) < 2:
        raise ValueError("a standard error over problems needs at least two problems")
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return Paired(float(difference.mean()), float(error), len(difference))
