"""What a check of its own problem does for a search. Where finding is hard and checking is easy it stops at the first
answer that passes; where a check tells wrong answers alone, what does not pass is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Plan, Strategy
from o1_assets.search.proposals import Proposer
from o1_assets.search.tree import End, Node, Tree


@dataclass(frozen=True)
class _Around:
    """A strategy that does what `strategy` does; what differs, the classes below say."""

    strategy: Strategy

    @property
    def proposers(self) -> tuple[Proposer, ...]:
        return self.strategy.proposers

    @property
    def reads(self) -> Literal["nothing", "prm", "q"]:
        return self.strategy.reads

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        return self.strategy.plan(tree, budget)

    def cache_tokens(self, budget: Budget) -> int:
        return self.strategy.cache_tokens(budget)


@dataclass(frozen=True)
class Checked(_Around):
    """Any strategy, until one of its answers passes. The check reads the question and no answer key, so it may be used
    where nobody knows the answer. In a world without such a check this is `strategy` itself.
    """

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        inner = self.strategy.plan(tree, budget)
        try:
            requests = next(inner)
            while True:
                replies = yield requests
                if passing(tree.ends) is not None:
                    return
                requests = inner.send(replies)
        except StopIteration:
            return

    def choose(self, ends: Sequence[End]) -> Node | None:
        return passing(ends) or self.strategy.choose(ends)


@dataclass(frozen=True)
class Permitted(_Around):
    """Any strategy, whose choice is among the answers that do not fail the check of their own problem; among all where
    each fails. For a check such as a game's rules, which most wrong moves keep."""

    def choose(self, ends: Sequence[End]) -> Node | None:
        return self.strategy.choose([end for end in ends if end.node.passes is not False] or ends)


def passing(ends: Sequence[End]) -> Node | None:
    """The first solution whose answer passes the check of its own problem; None if none does."""
    return next((end.node for end in ends if end.node.passes), None)
