"""Whether a predicted chance comes true: reliability by bins, its expected error, the Brier score."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def calibration(predicted: Floats, happened: Floats, weight: Floats, bins: int) -> pl.DataFrame:
    """A row a bin of equal width that is not empty: predicted, happened (weighted means), weight.

    predicted, happened, weight: [predictions]; happened is the share of solutions that ended right, weight their
    number.
    """
    at = np.minimum((predicted * bins).astype(int), bins - 1)
    rows = []
    for b in range(bins):
        own = at == b
        if weight[own].sum():
            rows.append(
                {
                    "predicted": float(np.average(predicted[own], weights=weight[own])),
                    "happened": float(np.average(happened[own], weights=weight[own])),
                    "weight": float(weight[own].sum()),
                }
            )
    return pl.DataFrame(rows, schema={"predicted": pl.Float64, "happened": pl.Float64, "weight": pl.Float64})


def calibration_error(table: pl.DataFrame) -> float | None:
    """Expected calibration error (Naeini et al. 2015): the bins' |predicted - happened|, by weight."""
    if not table.height:
        return None
    predicted, happened, weight = (table[name].to_numpy() for name in table.columns)
    return float(np.average(np.abs(predicted - happened), weights=weight))


def brier_score(predicted: Floats, happened: Floats, weight: Floats) -> float | None:
    """Mean squared error against the single outcomes, of which `happened` is the mean of `weight` many."""
    if not weight.sum():
        return None
    within = happened * (1 - happened)
    return float(np.average((predicted - happened) ** 2 + within, weights=weight))
