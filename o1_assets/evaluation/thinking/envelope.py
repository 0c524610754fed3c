"""The best known way of thinking for a given compute: the compute-optimal curve (Snell et al., arXiv:2408.03314,
section 3.1), chosen on other problems than those it is measured on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from o1_assets.evaluation.thinking.measure import TREES, Measured
from o1_assets.evaluation.thinking.points import SAMPLED, Point

OPTIMAL = "compute-optimal"


CANDIDATES = (*(name for name in SAMPLED if name != "any right"), *TREES)
"""What it chooses from: at least one whole chain, which the curve begins with, and nothing that knows the answer."""


@dataclass(frozen=True)
class Envelope:
    """measured: one point a budget, whose `budget` is its number. chosen: what was taken most often at each."""

    measured: Measured
    chosen: list[str]


def envelope(found: Measured, folds: int) -> Envelope:
    """For compute that doubles from that of the cheapest point: in each fold of the problems the strategy and budget
    that was best on the other folds at no more than that. Budgets at which nothing better was chosen are left out.

    Every point's compute is its mean over all problems, known before a problem is seen.
    """
    usable = [i for i, point in enumerate(found.points) if point.strategy in CANDIDATES]
    points = [found.points[i] for i in usable]
    flops = np.array([found.flops[i] for i in usable])
    right = np.stack([point.right for point in points])
    problems = right.shape[1]
    fold = np.arange(problems) % min(folds, problems)
    made, spent, names = [], [], []
    before: list[int] = []
    steps = int(np.ceil(np.log2(flops.max() / flops.min()) - 1e-9))
    for step in range(steps + 1):
        allowed = np.flatnonzero(flops <= flops.min() * 2**step * (1 + 1e-9))
        choice = [int(allowed[right[allowed][:, fold != f].mean(1).argmax()]) for f in range(fold.max() + 1)]
        if choice == before:
            continue
        before = choice
        of = np.array(choice)[fold]
        made.append(
            Point(
                OPTIMAL,
                step,
                right[of, np.arange(problems)],
                np.array([points[c].generated[i] for i, c in enumerate(of)]),
                np.array([points[c].scored[i] for i, c in enumerate(of)]),
            )
        )
        spent.append(float(flops[of].mean()))
        most = Counter(choice).most_common(1)[0][0]
        names.append(f"{points[most].strategy} {points[most].budget}")
    return Envelope(Measured(made, spent), names)
