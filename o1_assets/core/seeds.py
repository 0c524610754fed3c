"""One seed a purpose, all derived from one number, so that no two draws of the graph share a stream by accident."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: object) -> int:
    """A seed in [0, 2**31) that depends on every part and its order: derive_seed(0, "r03/prm")."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def sample_seeds(seed: int, identities: list[str], samples: int) -> list[int]:
    """Seeds for `samples` samples of each identity (a problem id, say), identity-major.

    They depend on the identity and not on its position, so a problem's samples stay the same when the list
    around it changes.
    """
    return [derive_seed(seed, identity, i) for identity in identities for i in range(samples)]
