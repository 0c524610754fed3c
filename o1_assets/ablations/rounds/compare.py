"""From the parts of every arm and seed to what people read: means with intervals, differences to the control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.ablations.intervals import Floats, Interval, bounds, interval_of_sums
from o1_assets.ablations.measures import f1, share
from o1_assets.ablations.rounds.judge import STEP_F1

Ints = NDArray[np.int64]
Combine = Callable[[Floats], float]


def combine_of(measure: str) -> Combine:
    return f1 if measure == STEP_F1 else share


def stacked(parts: Sequence[Floats]) -> Floats:
    """Of one arm's seeds: [seeds, problems, values]."""
    return np.stack(parts)


def difference(own: Floats, other: Floats, combine: Combine, resamples: int, seed: int) -> Interval | None:
    """Of own minus other, on the same seeds and problems."""
    width = own.shape[2]
    return interval_of_sums(
        np.concatenate([own, other], axis=2),
        lambda sums: combine(sums[:width]) - combine(sums[width:]),
        resamples,
        seed,
    )


def arms_table(
    measured: Mapping[str, Mapping[str, Floats]], control: str, resamples: int, seed: int
) -> pl.DataFrame:
    """measured: measure -> arm -> [seeds, problems, values]. One row a measure and arm: value, low, high, and the
    difference to the control with its own."""
    rows = []
    for measure, arms in measured.items():
        combine = combine_of(measure)
        for arm, parts in arms.items():
            found = interval_of_sums(parts, combine, resamples, seed)
            against = difference(parts, arms[control], combine, resamples, seed) if arm != control else None
            names = ("value", "low", "high", f"minus {control}", "difference, low", "difference, high")
            values = (*bounds(found), *bounds(against))
            rows.append({"measure": measure, "arm": arm, **dict(zip(names, values, strict=True))})
    return pl.DataFrame(rows, infer_schema_length=None)


def falls(values: Sequence[float]) -> float:
    """How much a curve that should rise falls, all rounds together; 0 for one that never does, NaN where a value is."""
    steps = np.diff(np.asarray(values, dtype=np.float64))
    return float(np.maximum(-steps, 0.0).sum())


def steadiness(
    retrained: Sequence[Floats], fixed: Sequence[Floats], combine: Combine, resamples: int, seed: int
) -> Interval | None:
    """`falls` with a retrained selector minus `falls` with a fixed one, mean over seeds.

    retrained, fixed: of each round the parts [seeds, problems, values]. A curve is that of one seed: seeds whose falls
    cancel would look steady together. Drawn anew as in `intervals.interval`.
    """
    own, other = np.stack(retrained), np.stack(fixed)  # [rounds, seeds, problems, values]
    seeds, problems = own.shape[1:3]

    def unsteadiness(parts: Floats, drawn: Ints) -> float:
        curves = parts[:, :, drawn].sum(2)
        return float(
            np.mean(
                [falls([combine(curves[k, s]) for k in range(len(parts))]) for s in range(parts.shape[1])]
            )
        )

    def of(chosen: Ints, drawn: Ints) -> float:
        return unsteadiness(own[:, chosen], drawn) - unsteadiness(other[:, chosen], drawn)

    value = of(np.arange(seeds), np.arange(problems))
    if np.isnan(value):
        return None
    rng = np.random.default_rng(seed)
    found = np.array(
        [
            of(rng.integers(seeds, size=max(1, seeds - 1)), rng.integers(problems, size=problems - 1))
            for _ in range(resamples)
        ]
    )
    found = found[~np.isnan(found)]
    if not len(found):
        return None
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(value, float(low), float(high), float(found.std()))
