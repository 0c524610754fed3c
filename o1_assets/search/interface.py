"""What a search strategy is: it looks at the tree of one problem and says what to sample next.

A strategy is a generator. So it reads as if it worked on one problem alone, while `run.search` advances all problems
together in batches:

    def plan(self, tree, budget):
        while not budget.spent(tree):
            [children] = yield [Expand(node, samples=4)]
            ...

Beside that it chooses among the solutions that ended. These are in the order of the tokens spent, so the choice among
the first of them is what the strategy would have answered with a smaller budget.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from o1_assets.search.tree import End, Node, Tree


@dataclass(frozen=True)
class Budget:
    """What one problem may cost.

    tokens: generated; a strategy asks for no more once they are spent. steps: of the longest solution.
    step_tokens, solution_tokens: length of the longest step, and of the longest solution that is sampled in one go.
    """

    tokens: int
    steps: int = 16
    step_tokens: int = 32
    solution_tokens: int = 256

    def spent(self, tree: Tree) -> bool:
        return tree.tokens_generated >= self.tokens

    def at_most(self, steps_sampled: int) -> int:
        """The most tokens that `steps_sampled` steps can have within the budget."""
        return min(self.tokens, steps_sampled * self.step_tokens)


@dataclass(frozen=True, eq=False)
class Expand:
    """Sample `samples` next steps after `node`. The reply lists the distinct children, scored by the PRM.

    Identical samples are one child. Samples that are cut off or blank are not listed, so the list may be empty. If
    the policy ends the solution right after `node`, then `node` itself is in the list, now `ended`.
    start: text that the steps begin with. forced: the most likely step instead of sampled ones; this is how an answer
    is asked for.
    """

    node: Node
    samples: int
    start: str = ""
    forced: bool = False


@dataclass(frozen=True, eq=False)
class Complete:
    """Sample `samples` solutions from `node` to their end. The reply lists the last node of each, with repeats.

    A solution that was cut off is listed too and has not `ended`. scored: the PRM scores each step.
    """

    node: Node
    samples: int
    scored: bool = True


Request = Expand | Complete
Plan = Generator[list[Request], list[list[Node]], None]


class Strategy(Protocol):
    @property
    def reads(self) -> Literal["nothing", "prm", "q"]:
        """Which models score steps: none, the PRM, or the PRM and the Q-value model."""
        ...

    def cache_tokens(self, budget: Budget) -> int:
        """Tokens a problem to keep in the models' KV caches, because the strategy comes back to them; 0 if it never
        does."""
        ...

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        """Yields requests and is sent their replies, in the same order."""
        ...

    def choose(self, ends: Sequence[End]) -> Node | None:
        """The solution to answer with; None if none has an answer."""
        ...


@dataclass(frozen=True)
class SearchResult:
    """The solution of one problem, and the tree it was found in.

    answer: the last node of the solution. completion_ids has the end token if the solution ended.
    """

    answer: Node
    tree: Tree
    completion: str
    completion_ids: list[int]
    finished: bool
