"""Seeds, one for each purpose, and uniform numbers that follow from a seed and a position (counter-based)."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

# 2**64 divided by the golden ratio, the increment of splitmix64: consecutive multiples are spread evenly.
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def derive_seed(*parts: object) -> int:
    """A seed in [0, 2**31) that depends on every part and on their order.

    Two draws of the graph share a stream only if all their parts are equal: derive_seed(0, "r03/prm").
    """
    text = "\0".join(str(part) for part in parts)
    # Shifted to 31 bits: numpy, torch and polars all take such a seed.
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def sample_seeds(seed: int, identities: list[str], samples: int) -> list[int]:
    """Seeds for `samples` samples of each identity (a problem id, say), identity-major.

    They depend on the identity and not on its position, so that a problem's samples stay the same when the list
    around it changes.
    """
    return [derive_seed(seed, identity, i) for identity in identities for i in range(samples)]


def uniforms(seeds: NDArray[np.uint64], position: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """One number in [0, 1) for each seed, (seeds,); `position` is the index of the generated token, or of each seed's.

    A counter-based generator (splitmix64; Steele, Lea & Flood 2014): the number depends on its address alone. With
    one stateful generator a batch, a sample would change when a row beside it finishes earlier.
    """
    with np.errstate(over="ignore"):  # the arithmetic is meant modulo 2**64
        streams = _mix(seeds + _GAMMA)
        mixed = _mix(streams + np.uint64(position + 1) * _GAMMA)
    # The upper 53 bits are as many as a double's fraction holds.
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
