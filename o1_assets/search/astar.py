"""A* with a learned Q-value (Q*, arXiv:2406.14283): always goes on from the most promising solution so far."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Expand, Plan
from o1_assets.search.tree import End, Node, Tree
from o1_assets.search.vote import weighted_majority

TINY = 1e-9


@dataclass(frozen=True)
class AStar:
    """Best first by f(s) = g(s) + weight * h(s) (section 3.2).

    g: the sum over the path of log P(right) by the PRM. h: the logarithm of the Q-value Q(s', a) of the step a
    that led to s, the chance that what follows ends right; the paper's max over the next steps' Q would cost an
    expansion more. branch: steps sampled after a node; at_once: nodes expanded together.

    solutions: how many are taken off the frontier, as no unfinished one is more promising, before it stops;
    None: as many as the budget lasts for, and then from the root again.
    choice: of the solutions that were found the most promising one (best), which is the first that was taken, or a
    vote weighted by the PRM alone.
    """

    branch: int = 4
    at_once: int = 2
    weight: float = 1.0
    solutions: int | None = 1
    choice: Literal["best", "weighted"] = "best"
    reads: Literal["q"] = "q"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        frontier = [(0.0, 0)]
        taken = 0
        while not budget.spent(tree):
            chosen: list[Node] = []
            while frontier and len(chosen) < self.at_once:
                node = tree.nodes[heapq.heappop(frontier)[1]]
                if not node.ended:
                    chosen.append(node)
                    continue
                taken += 1
                if taken == self.solutions:
                    return
            chosen = chosen or [tree.root]
            replies = yield [Expand(node, self.branch) for node in chosen]
            known = {index for _, index in frontier}
            for child in (child for children in replies for child in children):
                if child.index not in known and (child.ended or child.depth < budget.steps):
                    known.add(child.index)
                    heapq.heappush(frontier, (-self.promise(child), child.index))

    def promise(self, node: Node) -> float:
        """f; larger is better."""
        h = 0.0 if node.q is None else math.log(max(node.q, TINY))
        return math.log(max(node.score, TINY)) + self.weight * h

    def cache_tokens(self, budget: Budget) -> int:
        return budget.tokens

    def choose(self, ends: Sequence[End]) -> Node | None:
        if self.choice == "weighted":
            return weighted_majority(ends)
        return max(
            (end.node for end in ends),
            key=lambda n: (n.answer is not None, not n.forced, self.promise(n), -n.index),
            default=None,
        )
