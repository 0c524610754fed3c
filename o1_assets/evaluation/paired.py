"""Is one selector better than another on the same solutions? The paired difference and its standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
