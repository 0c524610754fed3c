"""Runs a strategy on many problems at once, from the first sample to the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial

from o1_assets.search.interface import Budget, SearchResult, Strategy
from o1_assets.search.running import Problem, RunningSearch, SearchModels

# Problems are searched together as long as the KV caches of their trees hold no more tokens than this: some 3 KB a
# token and model for hidden 96 and four layers.
CACHE_TOKENS = 100_000

__all__ = ["CACHE_TOKENS", "SearchModels", "search"]


def search(
    strategy: Strategy,
    prompts: Sequence[str],
    models: SearchModels,
    budget: Budget,
    seeds: Sequence[int],
    wanted: Callable[[int], bool] = lambda problem: True,
) -> list[SearchResult]:
    """One solution for each prompt. Where the strategy has found no answer, it is asked for (`Expand.forced`).

    wanted: asked after each batch about each problem, by its index in `prompts`; the search of a problem that is no
    longer wanted ends with what it has.

    A problem's result depends on its own seed and not on the batch around it (up to the models' last bits), unless
    `budget.clock` ends the search: then it is the best answer so far.
    Raises ValueError if the strategy reads a model that `models` lacks.
    """
    models.check(strategy)
    cache_tokens = strategy.cache_tokens(budget)
    at_once = max(1, CACHE_TOKENS // cache_tokens) if cache_tokens else len(prompts)
    results: list[SearchResult] = []
    for start in range(0, len(prompts), max(1, at_once)):
        part = slice(start, start + at_once)
        # What is searched one after another shares the time: each part ends when its share of all problems is over.
        share = min(1.0, (start + at_once) / len(prompts))
        running = RunningSearch(models)
        with running.prefix_caches(strategy.proposers) if cache_tokens else nullcontext():
            problems = [
                running.add(strategy, budget, prompt, seed)
                for prompt, seed in zip(prompts[part], seeds[part], strict=True)
            ]
            is_wanted = partial(_is_wanted, wanted, {id(p): start + i for i, p in enumerate(problems)})
            while running.problems and _in_time(problems, budget, share):
                running.advance()
                if budget.clock is not None:
                    budget.clock.batch_ended()
                running.keep(is_wanted)
            results += running.finish(problems, is_wanted)
    return results


def _is_wanted(wanted: Callable[[int], bool], index: dict[int, int], problem: Problem) -> bool:
    return wanted(index[id(problem)])


def _in_time(problems: Sequence[Problem], budget: Budget, share: float) -> bool:
    """Whether the time lasts for one more batch, and for asking for the answers that are missing."""
    if budget.clock is None:
        return True
    asking = any(all(end.node.answer is None for end in problem.tree.ends) for problem in problems)
    return budget.clock.allows(2 if asking else 1, share)
