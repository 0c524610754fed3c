"""Chi-square tests. A p-value below ALARM says that the samples differ; it does so wrongly once in a thousand seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import torch

ALARM = 1e-3


RARE = 5.0
"""Outcomes expected less often than this are counted as one."""


def fit_p(drawn: Mapping[int, int], probabilities: Sequence[float]) -> float:
    """P-value of counts of 0, 1, 2, ... under their known probabilities (Pearson)."""
    total = sum(drawn.values())
    pairs = _lumped([(float(drawn.get(i, 0)), p * total) for i, p in enumerate(probabilities)])
    statistic = sum((seen - expected) ** 2 / expected for seen, expected in pairs)
    return _tail(statistic, len(pairs) - 1)


def same_p(groups: Sequence[tuple[Sequence[Hashable], Sequence[Hashable]]]) -> float:
    """P-value of two equally large samples a group (one prompt, say) having one distribution each (homogeneity)."""
    statistic, freedom = 0.0, 0
    for first, second in groups:
        assert len(first) == len(second)
        a, b = Counter(first), Counter(second)
        pairs = _lumped([(float(a[x]), (a[x] + b[x]) / 2) for x in sorted({*a, *b}, key=repr)])
        statistic += sum(2 * (seen - expected) ** 2 / expected for seen, expected in pairs)
        freedom += len(pairs) - 1
    return _tail(statistic, freedom)


def _lumped(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """(seen, expected), the rare ones together as one."""
    common = [pair for pair in pairs if pair[1] >= RARE]
    rare = [pair for pair in pairs if pair[1] < RARE]
    seen, expected = sum(p[0] for p in rare), sum(p[1] for p in rare)
    if expected >= RARE or not common:
        return [*common, (seen, expected)]
    if not rare:
        return common
    least = min(range(len(common)), key=lambda i: common[i][1])
    common[least] = (common[least][0] + seen, common[least][1] + expected)
    return common


def _tail(statistic: float, freedom: int) -> float:
    """P(chi-square with so many degrees of freedom > statistic)."""
    assert freedom > 0, "nothing varies, so nothing can be tested"
    return float(
        torch.special.gammaincc(
            torch.tensor(freedom / 2, dtype=torch.float64), torch.tensor(statistic / 2, dtype=torch.float64)
        )
    )
