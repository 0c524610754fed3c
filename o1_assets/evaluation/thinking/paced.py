"""Accuracy against seconds: what `o1 ask --seconds` would have answered after each number of batches.

A time-out stops a search between two batches. The answers after n batches follow from the seed, so they are part of the
artifact (batches.parquet). The seconds that n batches take do not: they are measured on one problem at a time, as a
person asks, and are figures of the manifest alone, beside the machine that they were measured on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from o1_assets.core.artifact import Task
from o1_assets.evaluation.best_of_n import powers_of_two
from o1_assets.evaluation.thinking.points import mean_and_error
from o1_assets.evaluation.thinking.solver import Solver
from o1_assets.search.clock import Clock
from o1_assets.search.interface import SearchResult, Strategy
from o1_assets.search.strategies import STRATEGIES
from o1_assets.search.tree import Node, Tree

# A replay does not compare figures with this in their name (audit/compare.py).
SECONDS = "seconds"


def measure_batches(task: Task, solver: Solver) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Rows strategy, batches (1, 2, 4, ... and all), accuracy with its standard error, generated, and asked (the share
    of problems whose answer had to be asked for); the figures "seconds STRATEGY N", the mean until N batches ended."""
    rows: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}
    for name in solver.config.timed:
        strategy = STRATEGIES[name].strategy
        task.progress(f"{solver.name}: {name} with a time-out")
        [searches] = solver.think(strategy, solver.config.tree_tokens, "timed", name)
        after = _after_batches(solver, strategy, searches)
        rows += [{"strategy": name, **row} for row in after]
        numbers = [row["batches"] for row in after]
        seconds |= {
            f"{SECONDS} {name} {n}": mean for n, mean in _seconds(solver, name, strategy, numbers).items()
        }
    return rows, seconds


def _after_batches(
    solver: Solver, strategy: Strategy, searches: Sequence[SearchResult]
) -> list[dict[str, Any]]:
    trees = [search.tree for search in searches]
    rows = []
    most = max(len(tree.ledger) for tree in trees)
    for n in sorted({*powers_of_two(most), most}):
        spent = [tree.ledger[min(n, len(tree.ledger)) - 1][0] for tree in trees]
        chosen = [
            strategy.choose([end for end in tree.ends if end.tokens <= tokens])
            for tree, tokens in zip(trees, spent, strict=True)
        ]
        missing = [i for i, node in enumerate(chosen) if node is None or node.answer is None]
        right = np.array([solver.right(i, node) for i, node in enumerate(chosen)], dtype=np.float64)
        right[missing] = solver.asked_for([(i, trees[i], _deepest(trees[i], n)) for i in missing])
        rows.append(
            {
                "batches": n,
                **mean_and_error("accuracy", right),
                "generated": float(np.mean(spent)),
                "asked": len(missing) / len(trees),
            }
        )
    return rows


def _deepest(tree: Tree, batches: int) -> Node:
    """What `Tree.deepest` was after so many batches: after it the answer is asked for."""
    requests = tree.rounds[batches] if batches < len(tree.rounds) else tree.clock
    return tree.deepest(requests)


def _seconds(solver: Solver, name: str, strategy: Strategy, numbers: Sequence[int]) -> dict[int, float]:
    """Mean seconds until so many batches ended; a search that stopped before counts with its whole time."""
    ends = []
    for problem in range(min(solver.config.timed_problems, len(solver.problems))):
        clock = Clock()
        solver.think_alone(strategy, solver.config.tree_tokens, problem, clock, "timed", name)
        ends.append(clock.ends)
    return {n: float(np.mean([seen[min(n, len(seen)) - 1] for seen in ends])) for n in numbers}
