"""Direct answer: no thinking at all, the answer is asked for at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.choice import majority
from o1_assets.search.interface import Budget, Plan
from o1_assets.search.tree import End, Node, Tree


@dataclass(frozen=True)
class Direct:
    """Plans nothing: `search` asks for the answer where a strategy has found none."""

    reads: Literal["nothing"] = "nothing"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        yield from ()

    def remembers(self, budget: Budget) -> int:
        return 0

    def choose(self, ends: Sequence[End]) -> Node | None:
        return majority(ends)
