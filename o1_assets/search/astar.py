"""A* with a learned Q-value (Q*, arXiv:2406.14283): always continues the most promising partial solution."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Expand, Plan, Settings
from o1_assets.search.tree import End, Node, Tree
from o1_assets.search.vote import weighted_majority

# Below this a probability is treated as this: the logarithm of 0 would bury a solution for ever.
TINY = 1e-9


@dataclass(frozen=True)
class AStar(Settings):
    """Best first by f(s) = g(s) + weight * h(s) (section 3.2).

    g: the sum over the path of log P(right) by the PRM. h: the logarithm of Q(s', a), the chance that what follows
    ends right, where the step a led from s' to s. (The paper takes the maximum of Q over the next steps, which would
    cost one more expansion.) branch: steps sampled after a node; at_once: nodes expanded together.

    solutions: the search stops when so many have come first in the frontier, before every unfinished one; None: it goes
    on as long as the budget lasts, and from the root again where nothing is left.
    choice: the most promising solution, which is the first that came first (best), or a vote weighted by the PRM alone.
    """

    branch: int = 4
    at_once: int = 2
    weight: float = 1.0
    solutions: int | None = 1
    choice: Literal["best", "weighted"] = "best"
    reads: Literal["q"] = "q"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        frontier = [(0.0, 0)]  # a heap of (-f, index of a node): the smallest comes first
        finished = 0
        while not budget.spent(tree):
            chosen: list[Node] = []
            while frontier and len(chosen) < self.at_once:
                node = tree.nodes[heapq.heappop(frontier)[1]]
                if not node.ended:
                    chosen.append(node)
                    continue
                finished += 1
                if finished == self.solutions:
                    return
            chosen = chosen or [tree.root]  # the frontier is empty: new first steps
            replies = yield [Expand(node, self.branch) for node in chosen]
            # A step may be sampled again; it stands in the frontier once.
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
            return weighted_majority(ends, self.prior)
        return max(
            (end.node for end in ends),
            key=lambda n: (n.answer is not None, not n.forced, self.promise(n), -n.index),
            default=None,
        )
