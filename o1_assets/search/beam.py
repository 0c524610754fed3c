"""Step-level beam search: sample next steps, keep those after which the PRM still believes the solution."""

from __future__ import annotations

from dataclasses import dataclass

from o1_assets.search.interface import Budget, Expand, Plan
from o1_assets.search.tree import Node, Tree


@dataclass(frozen=True)
class StepBeam:
    """width: solutions kept after each step; branch: steps sampled after each of them."""

    width: int = 1
    branch: int = 4

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        beam = [tree.root]
        for _ in range(budget.steps):
            open_nodes = [node for node in beam if not node.ended]
            if not open_nodes or budget.spent(tree):
                break
            replies = yield [Expand(node, self.branch) for node in open_nodes]
            candidates = [node for node in beam if node.ended]
            candidates += [child for children in replies for child in children if child not in candidates]
            if not candidates:
                break
            beam = sorted(candidates, key=_rank)[: self.width]
        return min((node for node in beam if node.ended), key=_rank, default=min(beam, key=_rank))


def _rank(node: Node) -> tuple[float, float, int]:
    """Highest score first; of equals the likelier step under the policy, then the one found first."""
    return (-node.score, -node.logprob, node.index)
