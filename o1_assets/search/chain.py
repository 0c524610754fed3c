"""The strategies that write one solution: the answer at once, or one chain of thought, extended at will."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Complete, Expand, Plan, Settings
from o1_assets.search.tree import End, Node, Tree


@dataclass(frozen=True)
class Direct(Settings):
    """The answer at once, without any thought. It plans nothing: `search` asks for the answer where a strategy has
    none."""

    reads: Literal["nothing"] = "nothing"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        yield from ()  # a generator that asks for nothing

    def cache_tokens(self, budget: Budget) -> int:
        return 0

    def choose(self, ends: Sequence[End]) -> Node | None:
        """The answer that was asked for; None before that."""
        return next((end.node for end in ends if end.node.answer is not None), None)


@dataclass(frozen=True)
class Chain(Settings):
    """One chain of thought (Wei et al., arXiv:2201.11903).

    extend: a word such as "wait" that takes the place of the answer as long as there are tokens left, after which
    the policy goes on thinking (budget forcing: s1, arXiv:2501.19393); empty: the first answer stands.
    times: how often it is extended at most; None: until the budget is spent.
    """

    extend: str = ""
    times: int | None = None
    reads: Literal["nothing"] = "nothing"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        [[last]] = yield [Complete(tree.root, 1, scored=False)]
        extensions = 0
        while self.extend and extensions != self.times and last.ended and last.depth < budget.steps:
            if budget.spent(tree):
                return
            # The step that holds the answer is taken back: thinking goes on from the one before it.
            thought = last.parent if last.answer is not None and last.parent is not None else last
            [doubts] = yield [Expand(thought, 1, start=self.extend)]
            if not doubts:
                return
            [[last]] = yield [Complete(doubts[0], 1, scored=False)]
            extensions += 1

    def cache_tokens(self, budget: Budget) -> int:
        return 0

    def choose(self, ends: Sequence[End]) -> Node | None:
        """The newest answer."""
        return next((end.node for end in reversed(ends) if end.node.answer is not None), None)
