"""Our own search in a race."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.models import Finished
from benchmarks.race import STEPS, Solved
from o1_assets.search.interface import Budget, Strategy

UNLIMITED = 10**9


def contender(given: Finished, strategy: Strategy, tokens: int = UNLIMITED) -> Callable[[int], Solved]:
    """tokens: what a problem may cost."""
    from o1_assets.core.seeds import derive_seed
    from o1_assets.search.run import search

    thinker = given.thinker()
    budget = Budget(tokens, STEPS, given.step_tokens, given.prompt.max_tokens)

    def solve(repetition: int) -> Solved:
        seeds = [derive_seed(repetition, row["problem_id"]) for row in given.problems]
        found = search(strategy, given.prompts, thinker, budget, seeds)
        return Solved([one.completion for one in found], sum(one.tree.tokens_generated for one in found))

    return solve
