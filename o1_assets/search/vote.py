"""Many chains of thought, and a vote: self-consistency, best of N, reward-weighted majority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.choice import best, majority, weighted_majority
from o1_assets.search.interface import Budget, Plan, Rollout
from o1_assets.search.tree import End, Node, Tree

CHOICES = {"majority": majority, "best": best, "weighted": weighted_majority}


@dataclass(frozen=True)
class Chains:
    """N solutions, `at_once` at a time. samples: N; None: as many as the budget lasts for.

    choice: majority (self-consistency), best (best of N), weighted (reward-weighted majority).
    """

    choice: Literal["majority", "best", "weighted"]
    samples: int | None = None
    at_once: int = 16

    @property
    def reads(self) -> Literal["nothing", "prm"]:
        return "nothing" if self.choice == "majority" else "prm"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        drawn = 0
        while not budget.spent(tree) and drawn != self.samples:
            wanted = self.at_once if self.samples is None else min(self.at_once, self.samples - drawn)
            yield [Rollout(tree.root, wanted, scored=self.choice != "majority")]
            drawn += wanted

    def remembers(self, budget: Budget) -> int:
        return 0

    def choose(self, ends: Sequence[End]) -> Node | None:
        return CHOICES[self.choice](ends)
