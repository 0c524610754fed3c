"""How hard to think, in one table.

Decided by accuracy on 100 held-out problems of nano (baby-o1 v10 with PRM v10; in brackets the tokens spent; one search
a problem; the standard error of an accuracy is .045, of a difference on the same problems .015 to .03):

- 64 tokens: one chain .62 (26), best of N .69 (64), adaptive .67 (54), a beam .22 (64), which has hardly an answer yet.
- 512 tokens: best of N .74 (509), weighted vote .71, majority .68, beam .75 (512), adaptive .72 (281).
- 2048 tokens: best of N .75 (2037), weighted vote .72, majority .67, beam .78 (2048). Adaptive .74 (534), of 1024.

A second run of nano, other policy and PRM, the same problems:

- 64 tokens: best of N .71, adaptive .68 (54). 512: best of N .73, weighted vote .76, beam .72, MCTS .75, A* .77,
  adaptive .74 (253). 2048: best of N .71, weighted vote .77, beam .74, MCTS .76 (1231), A* .77.

From run to run the order changes by as much as they differ: what is large in both is that a beam needs some 200
tokens. A* would need a Q-value model, which the loop does not make.

At the tokens that it really spends adaptive is as good as best of N (.71 at 87 against .70, .74 at 534 against
.74). It is the default because it spends them on what is hard.
"""

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
    "low": Effort(1, "best-of-n"),
    "medium": Effort(8, "adaptive"),
    "high": Effort(32, "beam"),
}


def strategy_for(tokens: int, solution_tokens: int) -> str:
    """The strategy of the greatest effort that so many tokens pay for; of the least one where they pay for none."""
    paid = [effort for effort in EFFORTS.values() if effort.tokens(solution_tokens) <= tokens]
    return (paid or list(EFFORTS.values())[:1])[-1].strategy
