"""Easy, medium and hard problems: thirds of them, by how often GPT* solves them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALL, LEVELS = "all", ("easy", "medium", "hard")


EVERY = (ALL, *LEVELS)


def terciles(right: NDArray[np.float64]) -> NDArray[np.str_]:
    """The level of each problem, given its share of right solutions [problems] (Snell et al., arXiv:2408.03314,
    section 3.2)."""
    order = np.argsort(-right, kind="stable")
    names = np.empty(len(right), dtype="<U6")
    for name, part in zip(LEVELS, np.array_split(order, len(LEVELS)), strict=True):
        names[part] = name
    return names
