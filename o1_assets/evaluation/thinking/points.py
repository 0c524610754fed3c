"""Accuracy against the tokens that were spent: one point a strategy and budget, as each problem sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from o1_assets.evaluation.best_of_n import (
    MAJORITY,
    NO_ANSWER,
    PASS,
    WEIGHTED,
    Pool,
    curves,
    powers_of_two,
)
from o1_assets.search.interface import SearchResult, Strategy

Floats = NDArray[np.float64]

# Strategy -> selector, for those that choose among whole solutions.
SAMPLED = {
    "consistency": MAJORITY,
    "best-of-n": "prm",
    "weighted": WEIGHTED + "prm",
    "posterior": "posterior",
    "any right": PASS,
}

# Tokens of the smallest budget that a tree is asked for an answer at.
FEWEST = 32

# Random orders of the samples in which the tokens of their distinct prefixes are counted.
ORDERS = 4


@dataclass(frozen=True)
class Point:
    """A strategy with a budget: N solutions, or tokens. The arrays have one value a problem.

    right: share of the tries that ended right. generated, scored: tokens, as `search.tree.Tree` counts them.
    """

    strategy: str
    budget: int
    right: Floats
    generated: Floats
    scored: Floats


def mean_and_error(name: str, values: Floats) -> dict[str, float]:
    """values: one a problem. Their mean, and as NAME_error its standard error over problems."""
    return {name: float(values.mean()), f"{name}_error": float(values.std(ddof=1) / np.sqrt(len(values)))}


def sampled_points(
    searches: Sequence[SearchResult], right: Sequence[dict[str, bool]], subsets: int, seed: int
) -> list[Point]:
    """For N = 1, 2, 4, ...: the mean over random subsets of each problem's solutions.

    right: problem -> answer -> whether it is correct. A solution that was cut off counts as one without an answer.
    """
    pool = _pool(searches, right)
    ns = powers_of_two(pool.samples)
    by_selector = curves(pool, list(SAMPLED.values()), ns, subsets, seed)
    tokens = np.array([search.tree.tokens_generated / search.tree.root.drawn for search in searches])
    # [problems, K]: samples share prefixes, and a reward model with a cache reads each of those once.
    read = np.stack([_distinct_tokens(search, ns, seed) for search in searches])
    points = []
    for strategy, selector in SAMPLED.items():
        for k, n in enumerate(ns):
            # A vote needs no reward model, and neither does a choice from one.
            scores = strategy in ("best-of-n", "weighted", "posterior") and n > 1
            scored = read[:, k] if scores else np.zeros(len(searches))
            points.append(Point(strategy, n, by_selector[selector].per_problem[k], n * tokens, scored))
    return points


def single_point(
    name: str,
    budget: int,
    right: Sequence[Sequence[bool]],
    searches: Sequence[Sequence[SearchResult]],
    asked: bool = True,
) -> Point:
    """One budget, searched for its own sake. right, searches: [tries][problems].

    asked: what was generated when an answer was asked for counts; else only what came before that.
    """

    def tokens(search: SearchResult) -> int:
        before_asking = search.answer.forced and not asked
        return search.tree.ledger[-2][0] if before_asking else search.tree.tokens_generated

    generated = [[tokens(search) for search in by_problem] for by_problem in searches]
    scored = [[search.tree.tokens_scored for search in by_problem] for by_problem in searches]
    return Point(
        name, budget, *(np.array(rows, dtype=np.float64).mean(0) for rows in (right, generated, scored))
    )


def tree_points(
    name: str,
    strategy: Strategy,
    searches: Sequence[Sequence[SearchResult]],
    right: Sequence[dict[str, bool]],
    tokens: int,
    budgets: Sequence[int] | None = None,
) -> list[Point]:
    """For each budget (32, 64, ... up to `tokens`, unless given): what the strategy would have answered then.

    searches: seed -> problem -> the search with the largest budget. Without any answer by then it is wrong.
    """

    def at(search: SearchResult, verdicts: dict[str, bool], budget: int) -> tuple[float, float, float]:
        answer = strategy.choose([end for end in search.tree.ends if end.tokens <= budget])
        correct = answer is not None and answer.answer is not None and verdicts[answer.answer]
        # Entries of (generated, scored) so far: the last one within the budget is what had been spent by then.
        spent = [entry for entry in search.tree.ledger if entry[0] <= budget]
        generated = min(budget, search.tree.tokens_generated)
        return float(correct), float(generated), float(spent[-1][1] if spent else 0)

    points = []
    for budget in budgets or [n for n in powers_of_two(tokens) if n >= FEWEST]:
        by_seed = [
            [at(search, verdicts, budget) for search, verdicts in zip(by_problem, right, strict=True)]
            for by_problem in searches
        ]
        mean = np.array(by_seed).mean(0)  # [seeds, problems, 3] -> [problems, 3]
        points.append(Point(name, budget, mean[:, 0], mean[:, 1], mean[:, 2]))
    return points


def _pool(searches: Sequence[SearchResult], right: Sequence[dict[str, bool]]) -> Pool:
    """Each problem's samples as a pool: those that ended, then those that were cut off."""
    # A pool is rectangular: with unequal numbers of samples the shortest decides.
    samples = min(search.tree.root.drawn for search in searches)
    correct = np.zeros((len(searches), samples), dtype=bool)
    answers = np.full((len(searches), samples), NO_ANSWER)
    scores = {name: np.full((len(searches), samples), -np.inf) for name in ("prm", "posterior")}
    for p, (search, verdicts) in enumerate(zip(searches, right, strict=True)):
        # Graded answers as numbers: equal ones vote together.
        codes = {answer: code for code, answer in enumerate(verdicts)}
        for m, end in enumerate(search.tree.ends[:samples]):
            # Without an answer a solution is chosen last, however good its steps, as `vote.best` chooses.
            if end.node.answer is not None:
                scores["prm"][p, m] = end.node.score
                scores["posterior"][p, m] = end.node.belief(1.0)
                answers[p, m], correct[p, m] = codes[end.node.answer], verdicts[end.node.answer]
    return Pool(tuple(str(p) for p in range(len(searches))), correct, answers, scores)


def _distinct_tokens(search: SearchResult, ns: Sequence[int], seed: int) -> Floats:
    """Tokens of the distinct prefixes of N solutions and the prompt, for each N, on average over random orders."""
    tree = search.tree
    cut_off = [node for node in tree.nodes[1:] if not node.children and not node.ended]
    solutions = [end.node.path() for end in tree.ends]
    solutions += [node.path() for node in cut_off for _ in range(node.samples)]
    # Which solutions come first decides how much they share: averaged over a few orders.
    rng = np.random.default_rng([seed, tree.seed])
    totals = np.zeros(len(ns))
    for _ in range(ORDERS):
        seen: set[int] = set()
        tokens, so_far = len(tree.prompt_ids), []
        for i in rng.permutation(len(solutions)).tolist():
            for node in solutions[i]:
                if node.index not in seen:
                    seen.add(node.index)
                    tokens += len(node.token_ids)
            so_far.append(tokens)
        totals += [so_far[min(n, len(so_far)) - 1] for n in ns]
    return totals / ORDERS
