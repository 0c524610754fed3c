"""What a search strategy is: it looks at one problem's tree and says which nodes to expand next.

A strategy is a generator, so that it reads as if it worked on one problem alone, while `run.search` moves all
problems forward together in batches:

    def plan(self, tree, budget):
        while ...:
            [children] = yield [Expand(node, samples=4)]
        return answer_node
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from o1_assets.search.tree import Node, Tree


@dataclass(frozen=True)
class Budget:
    """What one problem may cost. tokens: generated; a strategy starts no expansion once they are spent."""

    tokens: int
    steps: int = 16
    step_tokens: int = 32

    def spent(self, tree: Tree) -> bool:
        return tree.tokens_generated >= self.tokens


@dataclass(frozen=True, eq=False)
class Expand:
    """Sample `samples` next steps after `node`. The reply lists the distinct children, scored by the PRM.

    Identical samples are one child. Samples that are cut off or blank are not listed, so the list may be empty. A node
    after which the policy ends the solution is itself in the list, now `ended`.
    """

    node: Node
    samples: int


Plan = Generator[list[Expand], list[list[Node]], Node]


class Strategy(Protocol):
    def plan(self, tree: Tree, budget: Budget) -> Plan:
        """Yields expansions, is sent their children in the same order, returns the answer's last node."""
        ...


@dataclass(frozen=True)
class Found:
    """What a search found. completion_ids has the end token if the solution ended."""

    answer: Node
    tree: Tree
    completion: str
    completion_ids: list[int]
    finished: bool
