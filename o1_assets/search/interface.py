"""What a search strategy is: it looks at one problem's tree and says what to sample next.

A strategy is a generator, so that it reads as if it worked on one problem alone, while `run.search` moves all
problems forward together in batches:

    def plan(self, tree, budget):
        while not budget.spent(tree):
            [children] = yield [Expand(node, samples=4)]
            ...

and a choice among the solutions that ended. As these are in the order of the tokens spent, the choice among
the first of them is what the strategy would have answered with a smaller budget.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from o1_assets.search.tree import End, Node, Tree


@dataclass(frozen=True)
class Budget:
    """What one problem may cost. tokens: generated; a strategy asks for no more once they are spent.

    steps: longest solution. step_tokens, solution_tokens: longest step, longest solution sampled in one go.
    """

    tokens: int
    steps: int = 16
    step_tokens: int = 32
    solution_tokens: int = 256

    def spent(self, tree: Tree) -> bool:
        return tree.tokens_generated >= self.tokens

    def at_most(self, steps_sampled: int) -> int:
        """Tokens of so many steps sampled, or the budget."""
        return min(self.tokens, steps_sampled * self.step_tokens)


@dataclass(frozen=True, eq=False)
class Expand:
    """Sample `samples` next steps after `node`. The reply lists the distinct children, scored by the PRM.

    Identical samples are one child. Samples that are cut off or blank are not listed, so the list may be empty. A
    node after which the policy ends the solution is itself in the list, now `ended`. start: text that the steps
    begin with. forced: the most likely step instead of sampled ones, as an answer that was not offered.
    """

    node: Node
    samples: int
    start: str = ""
    forced: bool = False


@dataclass(frozen=True, eq=False)
class Rollout:
    """Sample `samples` solutions from `node` to their end. The reply lists the last node of each, with repeats.

    scored: the PRM is asked about each step. A solution that was cut off is listed and has not `ended`.
    """

    node: Node
    samples: int
    scored: bool = True


Request = Expand | Rollout


Plan = Generator[list[Request], list[list[Node]], None]


class Strategy(Protocol):
    @property
    def reads(self) -> Literal["nothing", "prm", "q"]:
        """Which model looks at steps: none, the PRM, or the PRM and the Q-value model."""
        ...

    def cache_tokens(self, budget: Budget) -> int:
        """Tokens a problem that the models should remember, because it comes back to them; 0 if it never does."""
        ...

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        """Yields requests, is sent their replies in the same order."""
        ...

    def choose(self, ends: Sequence[End]) -> Node | None:
        """The solution to answer with; None without any that has an answer."""
        ...


@dataclass(frozen=True)
class Found:
    """What a search found. completion_ids has the end token if the solution ended."""

    answer: Node
    tree: Tree
    completion: str
    completion_ids: list[int]
    finished: bool
