"""How hard to think, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """solutions: the budget, in solutions of the longest kind. strategy: what makes the most of such a budget."""

    solutions: int
    strategy: str

    def tokens(self, solution_tokens: int) -> int:
        return self.solutions * solution_tokens


EFFORTS: Mapping[str, Effort] = {
    "low": Effort(1, "chain"),
    "medium": Effort(8, "beam"),
    "high": Effort(32, "beam"),
}


def strategy_for(tokens: int, solution_tokens: int) -> str:
    """The strategy of the greatest effort that so many tokens pay for; of the least one where they pay for none."""
    paid = [effort for effort in EFFORTS.values() if effort.tokens(solution_tokens) <= tokens]
    return (paid or list(EFFORTS.values())[:1])[-1].strategy
