"""Chain of thought (Wei et al., arXiv:2201.11903), extended at will by doubting it (s1, arXiv:2501.19393)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Expand, Plan, Rollout
from o1_assets.search.tree import End, Node, Tree


@dataclass(frozen=True)
class Chain:
    """One solution. extend: a word that is put in the place of the answer as long as there are tokens left, after
    which the policy goes on thinking; without one the first answer stands. times: how often at most."""

    extend: str = ""
    times: int | None = None
    reads: Literal["nothing"] = "nothing"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        [[end]] = yield [Rollout(tree.root, 1, scored=False)]
        extended = 0
        while self.extend and extended != self.times and end.ended and end.depth < budget.steps:
            if budget.spent(tree):
                return
            thought = end.parent if end.answer is not None and end.parent is not None else end
            [doubts] = yield [Expand(thought, 1, start=self.extend)]
            if not doubts:
                return
            [[end]] = yield [Rollout(doubts[0], 1, scored=False)]
            extended += 1

    def remembers(self, budget: Budget) -> int:
        return 0

    def choose(self, ends: Sequence[End]) -> Node | None:
        """The newest answer."""
        return next((end.node for end in reversed(ends) if end.node.answer is not None), None)
