"""Monte Carlo tree search: PUCT with the policy's probabilities as prior and the PRM's score as value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from o1_assets.search.interface import Budget, Expand, Plan
from o1_assets.search.tree import Node, Tree


@dataclass(frozen=True)
class PuctSearch:
    """simulations: descents from the root; branch: steps sampled at a leaf; exploration: PUCT's c."""

    simulations: int = 16
    branch: int = 4
    exploration: float = 1.0

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        for _ in range(self.simulations):
            if budget.spent(tree):
                break
            leaf = self._descend(tree.root)
            if not leaf.ended and leaf.depth < budget.steps:
                [children] = yield [Expand(leaf, self.branch)]
                value = max((child.score for child in children), default=0.0)
            else:
                value = leaf.score if leaf.ended else 0.0
            _back_up(leaf, value)
        node = tree.best()
        while not node.ended and node.depth < budget.steps and not budget.spent(tree):
            [children] = yield [Expand(node, self.branch)]
            if not children:
                break
            node = max(children, key=lambda n: (n.score, -n.index))
        return node

    def _descend(self, node: Node) -> Node:
        while not node.ended and (
            live := [child for child in node.children if child.probabilities is not None]
        ):
            node = max(
                live, key=lambda child: (puct(child, prior(child, live), self.exploration), -child.index)
            )
        return node


def prior(child: Node, siblings: list[Node]) -> float:
    """The policy's probability of this step among its distinct siblings."""
    top = max(sibling.logprob for sibling in siblings)
    return math.exp(child.logprob - top) / sum(math.exp(sibling.logprob - top) for sibling in siblings)


def puct(child: Node, p: float, exploration: float) -> float:
    """Q + c * P * sqrt(N of the parent) / (1 + N), AlphaZero (arXiv:1712.01815); Q of an unvisited child is
    the PRM's score."""
    assert child.parent is not None
    q = child.value / child.visits if child.visits else child.score
    return q + exploration * p * math.sqrt(max(child.parent.visits, 1)) / (1 + child.visits)


def _back_up(node: Node | None, value: float) -> None:
    while node is not None:
        node.visits += 1
        node.value += value
        node = node.parent
