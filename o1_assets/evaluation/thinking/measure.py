"""One model with every strategy and budget: the points of its curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from o1_assets.core.artifact import Task
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.thinking.points import Point, sampled_points, single_point, tree_points
from o1_assets.evaluation.thinking.solver import Reads, Solver
from o1_assets.search.chain import Direct
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.strategies import STRATEGIES
from o1_assets.search.vote import Chains

TREES: Mapping[str, Strategy] = {
    **{name: STRATEGIES[name].make(Budget(0)) for name in ("beam", "dvts", "mcts", "astar", "adaptive")},
    "mcts, Q-value": PuctSearch(simulations=None, choice="weighted", reads="q"),
}


UNLIMITED = 10**9


@dataclass(frozen=True)
class Measured:
    """flops: of each point, a problem, reward models included."""

    points: list[Point]
    flops: list[float]

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.points + other.points, self.flops + other.flops)

    def one(self, strategy: str, budget: int) -> Measured:
        """That point alone."""
        found = zip(self.points, self.flops, strict=True)
        return next(Measured([p], [f]) for p, f in found if (p.strategy, p.budget) == (strategy, budget))


def measured(solver: Solver, points: list[Point]) -> Measured:
    return Measured(
        points,
        [solver.flops(float(p.generated.mean()), float(p.scored.mean()), _reads(p.strategy)) for p in points],
    )


def measure_curves(task: Task, solver: Solver) -> Measured:
    """Every strategy of `points.SAMPLED` and of TREES, with every budget up to the largest."""
    config = solver.config
    found = measure_samples(task, solver, config.samples)
    for label, strategy in TREES.items():
        task.progress(f"{solver.name}: {label}, {config.tree_tokens} tokens, {config.tree_seeds} seeds")
        found += measure_tree(solver, label, strategy, config.tree_tokens)
    return found


def measure_samples(task: Task, solver: Solver, samples: int) -> Measured:
    """Whole solutions and the ways of choosing among 1, 2, 4, ... of them; and the answer without any thinking."""
    config = solver.config
    task.progress(f"{solver.name}: {samples} solutions of each of {len(solver.problems)} problems")
    [answers] = solver.think(Direct(), 0, "direct")
    points = [
        single_point("direct", 0, [[solver.right(i, a.answer) for i, a in enumerate(answers)]], [answers])
    ]
    [chains] = solver.think(Chains("weighted", samples), UNLIMITED, "chains")
    seed = derive_seed(solver.seed, solver.name, "subsets")
    points += sampled_points(chains, solver.verdicts([chains]), config.subsets, seed)
    return measured(solver, points)


def measure_tree(
    solver: Solver, label: str, strategy: Strategy, tokens: int, budgets: list[int] | None = None
) -> Measured:
    """One search to the largest budget, read at smaller ones too; budgets: powers of two unless told."""
    searches = solver.think(strategy, tokens, label, tries=solver.config.tree_seeds)
    points = tree_points(label, strategy, searches, solver.verdicts(searches), tokens, budgets)
    return measured(solver, points)


def _reads(strategy: str) -> Reads:
    return TREES[strategy].reads if strategy in TREES else "prm"
