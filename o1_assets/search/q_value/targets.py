"""What the Q-value of a step should be: the mean of returns at first, then as in Q-learning.

Q(s, a) is the chance that a solution ends right which goes on from the steps s with the step a. A node of the
tree stands for (s, a), its children for the actions sampled after it. There is one reward, 1 for a right answer
at the end, and no discount.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from o1_assets.search.q_value.collect import Solved


class Return(NamedTuple):
    """mean: outcome of the solutions that ended below a node or at it; ends: how many they were."""

    mean: float
    ends: int


def returns(solved: Solved) -> dict[int, Return]:
    """By node index; nodes below which nothing ended are left out."""
    outcomes: dict[int, list[float]] = {}
    for end in solved.tree.ends:
        for node in end.node.path():
            outcomes.setdefault(node.index, []).append(solved.outcome(end.node.answer))
    return {index: Return(sum(own) / len(own), len(own)) for index, own in outcomes.items()}


def bootstrapped(solved: Solved, values: Mapping[int, float]) -> dict[int, float]:
    """node index -> the outcome where the solution ends, else the largest value of a step after it (Q*,
    arXiv:2406.14283, equation 5, with reward at the end only).

    values: node index -> today's Q. Nodes after which nothing was sampled are left out.
    """
    targets = {}
    for node in solved.tree.nodes[1:]:
        if node.cut:
            continue
        if node.ended:
            targets[node.index] = solved.outcome(node.answer)
            continue
        after = [values[child.index] for child in node.children if child.index in values and not child.cut]
        if after:
            targets[node.index] = max(after)
    return targets
