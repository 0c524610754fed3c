"""Which examples are trained on, in which order: replay of old rounds, batches of like lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.random import Generator

WINDOW = 8
"""Batches that are sorted by length together."""


def draw_order(
    rounds: Sequence[int],
    lengths: Sequence[int],
    updates: int,
    batch_size: int,
    newest_share: float,
    seed: int,
) -> list[int]:
    """updates * batch_size indices of examples; rounds and lengths have one entry an example.

    The newest round has `newest_share` of every window of eight batches, older rounds the rest (all of it, or
    none, where only one of the two exists). Each side is a shuffle without replacement, begun again when
    used up.
    Raises ValueError without examples.
    """
    if not rounds:
        raise ValueError("no examples to train on")
    rng = np.random.default_rng(seed)
    newest = [i for i, r in enumerate(rounds) if r == max(rounds)]
    older = [i for i, r in enumerate(rounds) if r != max(rounds)]
    share = newest_share if older else 1.0
    new, old = _cycle(newest, rng), _cycle(older, rng)
    order: list[int] = []
    taken = 0
    for first in range(0, updates, WINDOW):
        count = min(WINDOW, updates - first) * batch_size
        want = round(share * (len(order) + count)) - taken
        taken += want
        window = [next(new) for _ in range(want)] + [next(old) for _ in range(count - want)]
        rng.shuffle(window)
        window.sort(key=lambda i: lengths[i])
        batches = [window[i : i + batch_size] for i in range(0, count, batch_size)]
        order.extend(i for b in rng.permutation(len(batches)) for i in batches[b])
    return order


def _cycle(indices: Sequence[int], rng: Generator) -> Iterator[int]:
    while indices:
        yield from (indices[i] for i in rng.permutation(len(indices)))
