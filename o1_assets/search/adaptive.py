"""Estimates how hard a problem is, then picks strategy and budget (Snell et al., arXiv:2408.03314, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.beam import StepBeam
from o1_assets.search.checked import passing
from o1_assets.search.interface import Budget, Complete, Plan, Settings, Strategy
from o1_assets.search.tree import End, Node, Tree
from o1_assets.search.vote import Chains, best, weighted_majority

# What follows at half confidence, and below that.
MORE = Chains("best", samples=4)
TREE = StepBeam(width=2, branch=4)


@dataclass(frozen=True)
class Adaptive(Settings):
    """A few chains first. If they agree on an answer that the PRM believes, the problem is easy and the search is done.
    If they half agree, a few more chains follow; if they do not, a tree is searched once. Then the confidence is
    computed again, as often as the budget lasts.

    probe: chains sampled at first, fewer if the budget may not last for them. easy, hard: bounds of the confidence,
    which is the favourite answer's share of the vote weighted by the PRM, times the score of its best solution.
    """

    probe: int = 2
    # On nano's train problems, solved by baby-o1 v9 and scored by PRM v9, four chains were right in all of the 46% of
    # cases above .9, in 97% of those from .8 to .9, in 79% from .3 to .7 and in 31% below .1. Stopping at .8 reached
    # the accuracy of 12 to 16 chains with the tokens of 9 (200 problems).
    easy: float = 0.8
    hard: float = 0.5
    more: Strategy = MORE
    tree: Strategy = TREE
    reads: Literal["prm"] = "prm"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        yield [Complete(tree.root, max(1, min(self.probe, budget.tokens // budget.solution_tokens)))]
        while not budget.spent(tree) and (confidence := self.confidence(tree.ends)) < self.easy:
            yield from (self.tree if confidence < self.hard else self.more).plan(tree, budget)

    def confidence(self, ends: Sequence[End]) -> float:
        """An estimate of the chance that the answer is right; 0 without any that may be.

        By the check of the problem itself where there is one, else by the PRM alone.
        """
        if passing(ends) is not None:
            return 1.0
        ends = [end for end in ends if end.node.passes is None]
        answer = weighted_majority(ends)
        total = sum(end.node.score for end in ends)
        if answer is None or not total:
            return 0.0
        share = sum(end.node.score for end in ends if end.node.answer == answer.answer) / total
        return share * answer.score

    def cache_tokens(self, budget: Budget) -> int:
        return budget.tokens

    def choose(self, ends: Sequence[End]) -> Node | None:
        return passing(ends) or best(ends, self.prior)
