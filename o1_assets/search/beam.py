"""Beam searches over steps: sample next steps, keep those after which the PRM still believes the solution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Expand, Plan, Settings
from o1_assets.search.tree import End, Node, Tree
from o1_assets.search.vote import CHOICES


@dataclass(frozen=True)
class StepBeam(Settings):
    """One beam. width: solutions kept after each step; branch: steps sampled after each of them.

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
                # The root counts as ended once a solution without steps was sampled; others may still follow.
                open_nodes = [node for node in beam if not node.ended or node is tree.root]
                if not open_nodes or budget.spent(tree):
                    break
                replies = yield [Expand(node, self.branch) for node in open_nodes]
                # Finished solutions stay in the beam and compete with the longer ones: else a beam would
                # throw away a good short solution for a mediocre long one.
                candidates = [node for node in beam if node.ended]
                candidates += [child for children in replies for child in children if child not in candidates]
                if not candidates:
                    break
                beam = sorted(candidates, key=rank(self.prior))[: self.width]
            if not self.again or budget.spent(tree):
                return

    def cache_tokens(self, budget: Budget) -> int:
        return budget.tokens if self.again else budget.at_most(self.width * self.branch * budget.steps)

    def choose(self, ends: Sequence[End]) -> Node | None:
        return CHOICES[self.choice](ends, self.prior)


@dataclass(frozen=True)
class DiverseTrees(Settings):
    """Diverse verifier tree search: different first steps, and a beam of width 1 from each of them.

    Beeching, Tunstall and Rush 2024, "Scaling test-time compute with open models": the solutions of one beam soon
    share all but their last steps. Independent subtrees do not, which pays where there are many tokens to spend.

    subtrees: how many first steps are continued; branch: steps sampled at each node; again: as for StepBeam.
    """

    subtrees: int = 4
    branch: int = 4
    again: bool = False
    choice: Literal["best", "weighted"] = "weighted"
    reads: Literal["prm"] = "prm"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        while True:
            [first] = yield [Expand(tree.root, self.subtrees * self.branch)]
            heads = sorted(first, key=rank(self.prior))[: self.subtrees]
            # The first step was sampled above; a subtree without whole children is given up.
            for _ in range(1, budget.steps):
                heads = [head for head in heads if not head.ended]
                if not heads or budget.spent(tree):
                    break
                replies = yield [Expand(head, self.branch) for head in heads]
                heads = [min(children, key=rank(self.prior)) for children in replies if children]
            if not self.again or budget.spent(tree):
                return

    def cache_tokens(self, budget: Budget) -> int:
        return budget.tokens if self.again else budget.at_most(self.subtrees * self.branch * budget.steps)

    def choose(self, ends: Sequence[End]) -> Node | None:
        return CHOICES[self.choice](ends, self.prior)


def rank(prior: float) -> Callable[[Node], tuple[float, float, int]]:
    """Sort key: the most believed first; among equals the likelier step under the policy, then the earlier one."""
    return lambda node: (-node.belief(prior), -node.logprob, node.index)
