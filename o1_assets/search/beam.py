"""Step-level beam search: sample next steps, keep those after which the PRM still believes the solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Expand, Plan
from o1_assets.search.tree import End, Node, Tree
from o1_assets.search.vote import CHOICES


@dataclass(frozen=True)
class StepBeam:
    """width: solutions kept after each step; branch: steps sampled after each of them.

    again: start over, with new samples, as long as the budget lasts.
    """

    width: int = 1
    branch: int = 4
    again: bool = False
    choice: Literal["best", "weighted"] = "best"
    reads: Literal["prm"] = "prm"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        while True:
            beam = [tree.root]
            for _ in range(budget.steps):
                # The root has ended when a solution of no steps was sampled; there are others.
                open_nodes = [node for node in beam if not node.ended or node is tree.root]
                if not open_nodes or budget.spent(tree):
                    break
                replies = yield [Expand(node, self.branch) for node in open_nodes]
                candidates = [node for node in beam if node.ended]
                candidates += [child for children in replies for child in children if child not in candidates]
                if not candidates:
                    break
                beam = sorted(candidates, key=rank)[: self.width]
            if not self.again or budget.spent(tree):
                return

    def remembers(self, budget: Budget) -> int:
        return budget.tokens if self.again else budget.at_most(self.width * self.branch * budget.steps)

    def choose(self, ends: Sequence[End]) -> Node | None:
        return CHOICES[self.choice](ends)


def rank(node: Node) -> tuple[float, float, int]:
    """Highest score first; of equals the likelier step under the policy, then the one found first."""
    return (-node.score, -node.logprob, node.index)
