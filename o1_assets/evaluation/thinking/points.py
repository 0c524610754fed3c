"""Accuracy against the tokens that were spent: one point a strategy and budget, as each problem sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from o1_assets.evaluation.best_of_n import MAJORITY, PASS, WEIGHTED, curves, powers_of_two
from o1_assets.evaluation.pool import NO_ANSWER, Pool
from o1_assets.search.interface import Found, Strategy

Floats = NDArray[np.float64]


SAMPLED = {"consistency": MAJORITY, "best-of-n": "prm", "weighted": WEIGHTED + "prm", "any right": PASS}
"""Strategy -> selector, for those that choose among whole solutions."""


FEWEST = 32
"""Tokens of the smallest budget that a tree is asked for an answer at."""


ORDERS = 4
"""Random orders of the samples in which the tokens of their distinct prefixes are counted."""


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
    found: Sequence[Found], right: Sequence[dict[str, bool]], subsets: int, seed: int
) -> list[Point]:
    """For N = 1, 2, 4, ...: the mean over random subsets of each problem's solutions.

    right: problem -> answer -> whether it is correct. A solution that was cut off counts as one without an answer.
    """
    pool = _pool(found, right)
    ns = powers_of_two(pool.samples)
    made = curves(pool, list(SAMPLED.values()), ns, subsets, seed)
    mean = np.array([one.tree.tokens_generated / one.tree.root.drawn for one in found])
    read = np.stack([_distinct(one, ns, seed) for one in found])
    points = []
    for strategy, selector in SAMPLED.items():
        for k, n in enumerate(ns):
            judged = strategy in ("best-of-n", "weighted") and n > 1
            scored = read[:, k] if judged else np.zeros(len(found))
            points.append(Point(strategy, n, made[selector].per_problem[k], n * mean, scored))
    return points


def single_point(
    name: str,
    budget: int,
    right: Sequence[Sequence[bool]],
    searches: Sequence[Sequence[Found]],
    asked: bool = True,
) -> Point:
    """One budget, searched for its own sake. right, searches: [tries][problems].

    asked: what was generated when an answer was asked for counts; else only what came before that.
    """
    tokens = [
        [
            one.tree.tokens_generated if asked or not one.answer.forced else one.tree.ledger[-2][0]
            for one in found
        ]
        for found in searches
    ]
    return Point(
        name,
        budget,
        np.array(right, dtype=np.float64).mean(0),
        np.array(tokens, dtype=np.float64).mean(0),
        np.array([[one.tree.tokens_scored for one in found] for found in searches], dtype=np.float64).mean(0),
    )


def tree_points(
    name: str,
    strategy: Strategy,
    searches: Sequence[Sequence[Found]],
    right: Sequence[dict[str, bool]],
    tokens: int,
    budgets: Sequence[int] | None = None,
) -> list[Point]:
    """For each budget (32, 64, ... up to `tokens`, unless told): what the strategy would have answered then.

    searches: seed -> problem -> what was found with the largest budget. Without any answer by then it is wrong.
    """
    points = []
    for budget in budgets or [n for n in powers_of_two(tokens) if n >= FEWEST]:
        by_seed = []
        for found in searches:
            rows = []
            for one, verdicts in zip(found, right, strict=True):
                answer = strategy.choose([end for end in one.tree.ends if end.tokens <= budget])
                good = answer is not None and answer.answer is not None and verdicts[answer.answer]
                spent = [entry for entry in one.tree.ledger if entry[0] <= budget]
                scored = spent[-1][1] if spent else 0
                rows.append((float(good), float(min(budget, one.tree.tokens_generated)), float(scored)))
            by_seed.append(rows)
        mean = np.array(by_seed).mean(0)
        points.append(Point(name, budget, mean[:, 0], mean[:, 1], mean[:, 2]))
    return points


def _pool(found: Sequence[Found], right: Sequence[dict[str, bool]]) -> Pool:
    """Each problem's samples as a pool: those that ended, then those that were cut off."""
    samples = min(one.tree.root.drawn for one in found)
    correct = np.zeros((len(found), samples), dtype=bool)
    answers = np.full((len(found), samples), NO_ANSWER)
    scores = np.full((len(found), samples), -np.inf)
    for p, (one, verdicts) in enumerate(zip(found, right, strict=True)):
        codes = {answer: code for code, answer in enumerate(verdicts)}
        for m, end in enumerate(one.tree.ends[:samples]):
            scores[p, m] = end.node.score
            if end.node.answer is not None:
                answers[p, m], correct[p, m] = codes[end.node.answer], verdicts[end.node.answer]
    return Pool(tuple(str(p) for p in range(len(found))), correct, answers, {"prm": scores})


def _distinct(one: Found, ns: Sequence[int], seed: int) -> Floats:
    """Tokens of the distinct prefixes of N solutions and the prompt, for each N, on average over random orders."""
    tree = one.tree
    cut_off = [node for node in tree.nodes[1:] if not node.children and not node.ended]
    solutions = [end.node.path() for end in tree.ends]
    solutions += [node.path() for node in cut_off for _ in range(node.samples)]
    rng = np.random.default_rng([seed, one.tree.seed])
    totals = np.zeros(len(ns))
    for _ in range(ORDERS):
        seen: set[int] = set()
        tokens, grown = len(one.tree.prompt_ids), []
        for i in rng.permutation(len(solutions)).tolist():
            for node in solutions[i]:
                if node.index not in seen:
                    seen.add(node.index)
                    tokens += len(node.token_ids)
            grown.append(tokens)
        totals += [grown[min(n, len(grown)) - 1] for n in ns]
    return totals / ORDERS
