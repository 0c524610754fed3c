"""Accuracy against log2 compute: one curve, and the least-squares line through its beginning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o1_assets.thinking.fit import Floats, before_saturation, r_squared

Z = 1.96


@dataclass(frozen=True)
class Curve:
    """flops: rising, [points]. right: share of the tries that ended right, [points, problems]."""

    flops: Floats
    right: Floats

    def accuracy(self) -> Floats:
        return self.right.mean(1)

    def margin(self) -> Floats:
        """Half of the 95% interval of each point, over problems."""
        problems = self.right.shape[1]
        return Z * self.right.std(1, ddof=1) / np.sqrt(problems)

    def saturated(self) -> int:
        """How many points there are up to the first that the best one does not beat by its standard error."""
        return before_saturation(self.right)

    def reaching(self, factor: float) -> int | None:
        """How many points span at least `factor` in compute; None if all of them do not."""
        far = np.flatnonzero(self.flops >= self.flops[0] * factor * (1 - 1e-9))
        return int(far[0]) + 1 if len(far) else None

    def factor(self, points: int) -> float:
        """Between the first and the last of the first `points` points."""
        return float(self.flops[points - 1] / self.flops[0])


@dataclass(frozen=True)
class Line:
    """accuracy = intercept + gain * log2(flops) through the first `points` points; intervals 95%, over problems."""

    gain: float
    intercept: float
    r2: float
    r2_low: float
    r2_high: float
    points: int
    factor: float

    def at(self, flops: float) -> float:
        return self.intercept + self.gain * float(np.log2(flops))


def line(curve: Curve, points: int, resamples: int, seed: int) -> Line | None:
    """None through fewer than three points, or all at one compute."""
    if points < 3 or curve.flops[points - 1] == curve.flops[0]:
        return None
    x, table = np.log2(curve.flops[:points]), curve.right[:points]
    y = table.mean(1)
    gain, intercept = np.polyfit(x, y, 1)
    problems = table.shape[1]
    drawn = np.random.default_rng(seed).integers(problems, size=(resamples, problems))
    low, high = np.quantile(r_squared(x, table[:, drawn].mean(2)), [0.025, 0.975])
    return Line(
        float(gain),
        float(intercept),
        float(r_squared(x, y)),
        float(low),
        float(high),
        points,
        curve.factor(points),
    )
