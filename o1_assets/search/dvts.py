"""Diverse verifier tree search: the first steps part, and a beam of width 1 goes on from each of them.

Beeching, Tunstall and Rush 2024, "Scaling test-time compute with open models": a beam's solutions are soon all
alike; independent subtrees are not, which pays where there are many tokens to spend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.beam import rank
from o1_assets.search.interface import Budget, Expand, Plan
from o1_assets.search.tree import End, Node, Tree
from o1_assets.search.vote import CHOICES


@dataclass(frozen=True)
class DiverseTrees:
    """subtrees: beams of width 1, each from a first step of its own; branch: steps sampled at each node.

    again: start over, with new samples, as long as the budget lasts.
    """

    subtrees: int = 4
    branch: int = 4
    again: bool = False
    choice: Literal["best", "weighted"] = "weighted"
    reads: Literal["prm"] = "prm"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        while True:
            [first] = yield [Expand(tree.root, self.subtrees * self.branch)]
            heads = sorted(first, key=rank)[: self.subtrees]
            for _ in range(1, budget.steps):
                heads = [head for head in heads if not head.ended]
                if not heads or budget.spent(tree):
                    break
                replies = yield [Expand(head, self.branch) for head in heads]
                heads = [min(children, key=rank) for children in replies if children]
            if not self.again or budget.spent(tree):
                return

    def remembers(self, budget: Budget) -> int:
        return budget.tokens if self.again else budget.at_most(self.subtrees * self.branch * budget.steps)

    def choose(self, ends: Sequence[End]) -> Node | None:
        return CHOICES[self.choice](ends)
