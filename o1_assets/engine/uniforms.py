"""Uniform random numbers addressed by (seed, position), so that a sample never depends on its batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniforms(seeds: NDArray[np.uint64], position: int) -> NDArray[np.float64]:
    """One number in [0, 1) for each seed; `position` is the index of the generated token."""
    with np.errstate(over="ignore"):
        streams = _mix(seeds + _GAMMA)
        mixed = _mix(streams + np.uint64(position + 1) * _GAMMA)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
