"""Monte Carlo tree search: PUCT with the policy's probabilities as prior, the PRM or a Q-value as value."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Complete, Expand, Plan, Request, Settings
from o1_assets.search.tree import End, Node, Tree
from o1_assets.search.vote import CHOICES

Steps = Generator[list[Request], list[list[Node]], Node]


@dataclass(frozen=True)
class PuctSearch(Settings):
    """simulations: descents from the root; None: as many as the budget lasts for. branch: steps sampled at a leaf.

    exploration: c in PUCT. widening: a node visited n times has had branch * (1 + n)^widening steps sampled after it
    (progressive widening, Couetoux et al. 2011, "Continuous upper confidence trees").
    reads: the value of a node, either the score of its path by the PRM (prm) or the chance of a right end by the
    Q-value model (q).
    """

    simulations: int | None = 16
    branch: int = 4
    exploration: float = 1.0
    widening: float = 0.3
    choice: Literal["best", "weighted"] = "best"
    reads: Literal["prm", "q"] = "prm"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        # The first simulation is a whole solution, so that a budget too small for a deep tree has an answer too.
        first = yield from self._first(tree, budget)
        back_up(first, self.worth(first))
        done = 1
        # In a tree that was seen to its ends a descent samples nothing, and the budget would never be spent. So there
        # is at most one simulation for each of its tokens.
        most = budget.tokens if self.simulations is None else self.simulations
        while not budget.spent(tree) and done < most:
            leaf = self._descend(tree.root)
            # A leaf that can neither end nor go on is worth nothing, which keeps later descents away from it.
            value = self.worth(leaf) if leaf.ended else 0.0
            if not leaf.ended and leaf.depth < budget.steps:
                [children] = yield [Expand(leaf, self.branch)]
                # The best child's value, not their mean: the search will follow the best one.
                value = max((self.worth(child) for child in children), default=0.0)
            back_up(leaf, value)
            done += 1
        # Out of simulations without a solution: the deepest path is continued greedily to its end.
        if not tree.ends:
            yield from self._walk(tree, tree.deepest(), self.branch, budget)

    def cache_tokens(self, budget: Budget) -> int:
        return budget.tokens

    def choose(self, ends: Sequence[End]) -> Node | None:
        return CHOICES[self.choice](ends, self.prior)

    def worth(self, node: Node) -> float:
        return node.q if self.reads == "q" and node.q is not None else node.score

    def _first(self, tree: Tree, budget: Budget) -> Steps:
        """One solution, in one go where the budget surely lasts for it. Returns its last whole step."""
        if budget.tokens < budget.solution_tokens:
            return (yield from self._walk(tree, tree.root, 1, budget))
        [[last]] = yield [Complete(tree.root, 1)]
        return last.parent if last.cut and last.parent else last

    def _walk(self, tree: Tree, node: Node, samples: int, budget: Budget) -> Steps:
        """From `node` on, always the best of so many next steps. Returns where it ended, or could not go on."""
        while not node.ended and node.depth < budget.steps and not budget.spent(tree):
            [children] = yield [Expand(node, samples)]
            if not children:
                break
            node = max(children, key=lambda n: (self.worth(n), -n.index))
        return node

    def _descend(self, node: Node) -> Node:
        while not self._widens(node) and (live := [child for child in node.children if _live(child)]):
            node = max(live, key=lambda child: (self._puct(child, live), -child.index))
        return node

    def _widens(self, node: Node) -> bool:
        """Whether `node` is to be expanded (again): the more often it was visited, the more steps it may have."""
        return not node.ended and node.drawn < self.branch * (1 + node.visits) ** self.widening

    def _puct(self, child: Node, live: list[Node]) -> float:
        return puct(child, prior(child, live), self.exploration, self.worth(child))


def prior(child: Node, siblings: list[Node]) -> float:
    """The policy's probability of this step among its distinct siblings."""
    # Normalised over what was sampled, the largest first subtracted: exp of a long step's log-probability may be 0.
    top = max(sibling.logprob for sibling in siblings)
    return math.exp(child.logprob - top) / sum(math.exp(sibling.logprob - top) for sibling in siblings)


def puct(child: Node, p: float, exploration: float, unvisited: float) -> float:
    """Q + c * P * sqrt(N of the parent) / (1 + N), AlphaZero (arXiv:1712.01815). unvisited: Q before any visit."""
    assert child.parent is not None
    q = child.value / child.visits if child.visits else unvisited
    return q + exploration * p * math.sqrt(max(child.parent.visits, 1)) / (1 + child.visits)


def back_up(node: Node | None, value: float) -> None:
    """Adds a simulation's value to the node and all before it."""
    while node is not None:
        node.visits += 1
        node.value += value
        node = node.parent


def _live(child: Node) -> bool:
    return not child.cut and child.probabilities is not None
