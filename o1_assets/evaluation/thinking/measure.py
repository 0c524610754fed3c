"""One model with every strategy and budget: the points of its curves, limits and waits, ways of prompting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from o1_assets.core.artifact import Task
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.evaluation.thinking.points import (
    Point,
    mean_and_error,
    sampled_points,
    single_point,
    tree_points,
)
from o1_assets.evaluation.thinking.solver import Solver
from o1_assets.search.chain import Chain, Direct
from o1_assets.search.interface import SearchResult, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.strategies import STRATEGIES
from o1_assets.search.vote import Chains

TREES: Mapping[str, Strategy] = {
    **{
        name: STRATEGIES[name].strategy
        for name in ("beam", "posterior-beam", "dvts", "mcts", "astar", "adaptive")
    },
    "mcts, Q-value": PuctSearch(simulations=None, choice="weighted", reads="q"),
}

# For worlds where an answer can be checked without a key (ThinkingConfig.self_check).
CHECKED: Mapping[str, Strategy] = {name: STRATEGIES[name].strategy for name in ("checked", "checked-beam")}

# In which GPT* proposes, too (ThinkingConfig.mixed).
MIXED: Mapping[str, Strategy] = {"posterior-mixed": STRATEGIES["posterior-mixed"].strategy}


def measured_trees(config: ThinkingConfig) -> Mapping[str, Strategy]:
    """The strategies that are searched with up to config.tree_tokens."""
    return {**TREES, **(CHECKED if config.self_check else {}), **(MIXED if config.mixed else {})}


UNLIMITED = 10**9


@dataclass(frozen=True)
class MeasuredPoints:
    """flops: of each point, a problem, reward models included."""

    points: list[Point]
    flops: list[float]

    def __add__(self, other: MeasuredPoints) -> MeasuredPoints:
        return MeasuredPoints(self.points + other.points, self.flops + other.flops)

    def at(self, strategy: str, budget: int) -> MeasuredPoints:
        """That point alone. Raises StopIteration where it was not measured."""
        pairs = zip(self.points, self.flops, strict=True)
        return next(
            MeasuredPoints([p], [f]) for p, f in pairs if (p.strategy, p.budget) == (strategy, budget)
        )


def with_flops(solver: Solver, points: list[Point]) -> MeasuredPoints:
    trees = {**TREES, **CHECKED, **MIXED}
    flops = []
    for point in points:
        strategy = trees.get(point.strategy)
        flops.append(
            solver.flops(
                float(point.generated.mean()),
                float(point.scored.mean()),
                "prm" if strategy is None else strategy.reads,
                mixed=point.strategy in MIXED,
            )
        )
    return MeasuredPoints(points, flops)


def measure_curves(task: Task, solver: Solver) -> MeasuredPoints:
    """Every strategy of `points.SAMPLED` and of `measured_trees`, with every budget up to the largest."""
    config = solver.config
    measured = measure_samples(task, solver, config.samples)
    for label, strategy in measured_trees(config).items():
        task.progress(f"{solver.name}: {label}, {config.tree_tokens} tokens, {config.tree_seeds} seeds")
        measured += measure_tree(solver, label, strategy, config.tree_tokens)
    return measured


def measure_samples(task: Task, solver: Solver, samples: int) -> MeasuredPoints:
    """Whole solutions and the ways of choosing among 1, 2, 4, ... of them; and the answer without any thinking."""
    config = solver.config
    task.progress(f"{solver.name}: {samples} solutions of each of {len(solver.problems)} problems")
    [answers] = solver.think(Direct(), 0, "direct")
    points = [
        single_point("direct", 0, [[solver.right(i, a.answer) for i, a in enumerate(answers)]], [answers])
    ]
    # One pool of samples for all of them: they differ in the choice alone, and N is read off at every power of two.
    [chains] = solver.think(Chains("weighted", samples), UNLIMITED, "chains")
    seed = derive_seed(solver.seed, solver.name, "subsets")
    points += sampled_points(chains, solver.verdicts([chains]), config.subsets, seed)
    return with_flops(solver, points)


def measure_tree(
    solver: Solver, label: str, strategy: Strategy, tokens: int, budgets: list[int] | None = None
) -> MeasuredPoints:
    """One search to the largest budget, read at smaller ones too; budgets: powers of two unless given."""
    searches = solver.think(strategy, tokens, label, tries=solver.config.tree_seeds)
    points = tree_points(label, strategy, searches, solver.verdicts(searches), tokens, budgets)
    return with_flops(solver, points)


# Budget forcing (s1, arXiv:2501.19393, section 3.1) on single chains of thought. A chain that is too long is cut off at
# the limit, and its answer is asked for (forced) or there is none. A chain that is too short loses its answer and gets
# "wait" in its place, once or several times.

WAIT = "wait "
CUT, FORCED, EXTENDED = "chain, cut off", "chain, answer forced", "chain, extended"


def measure_limits(task: Task, solver: Solver) -> MeasuredPoints:
    """Chains with each of the configured limits, cut off and forced: the same chains in both."""
    points = []
    for limit in solver.config.limits:
        task.progress(f"{solver.name}: chains of at most {limit} tokens")
        tries = solver.think(Chain(), UNLIMITED, "limit", tries=solver.config.chains, longest=limit)
        # One search for both: what differs is whether the answer that was asked for counts.
        for name, forced in ((CUT, False), (FORCED, True)):
            right = [
                [
                    solver.right(i, chain.answer) and (forced or not chain.answer.forced)
                    for i, chain in enumerate(chains)
                ]
                for chains in tries
            ]
            points.append(single_point(name, limit, right, tries, asked=forced))
    return with_flops(solver, points)


def measure_extension(task: Task, solver: Solver) -> tuple[MeasuredPoints, list[dict[str, Any]]]:
    """Chains that are made to doubt 1, 2, 4, ... times, and what became of their first answers.

    The same chains are read after each number of waits. A chain that could not be extended that often keeps its last
    answer.
    Rows: waits, and with their standard errors: accuracy; and as shares of all chains: extended (that often),
    wrong_to_right and right_to_wrong (against the first answer).
    """
    waits = solver.config.waits
    task.progress(f"{solver.name}: chains extended {max(waits)} times")
    tries = solver.think(Chain(WAIT, max(waits)), UNLIMITED, "extend", tries=solver.config.chains)
    first, _ = _after(solver, tries, 0)
    points, rows = [], []
    for times in (0, *waits):
        right, tokens = _after(solver, tries, times)
        extended = np.array([[len(chain.tree.ends) > times for chain in chains] for chains in tries])
        points.append(Point(EXTENDED, times, right.mean(0), tokens.mean(0), np.zeros(len(solver.problems))))
        rows.append(
            {
                "waits": times,
                "tokens": float(tokens.mean()),
                **mean_and_error("accuracy", right.mean(0)),
                **mean_and_error("extended", extended.mean(0)),
                **mean_and_error("wrong_to_right", (right & ~first).mean(0)),
                **mean_and_error("right_to_wrong", (first & ~right).mean(0)),
            }
        )
    return with_flops(solver, points), rows


def _after(
    solver: Solver, tries: list[list[SearchResult]], waits: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each chain's answer after that many waits is right, and its tokens until then; both [tries, problems]."""
    right = np.zeros((len(tries), len(solver.problems)), dtype=bool)
    tokens = np.zeros(right.shape)
    for t, chains in enumerate(tries):
        for i, chain in enumerate(chains):
            ends = chain.tree.ends[: waits + 1]
            # Of the answers so far the chain gives the last one.
            right[t, i] = solver.right(i, Chain().choose(ends))
            tokens[t, i] = ends[waits].tokens if len(ends) > waits else chain.tree.tokens_generated
    return right, tokens


def compare_prompting(task: Task, solver: Solver, sampled: MeasuredPoints) -> list[dict[str, Any]]:
    """Four ways of prompting as in Yao et al. (arXiv:2305.10601, figure 1): an answer at once, a chain of thought,
    chains with a vote, a tree of thoughts.

    sampled: of `measure_samples`, with at least `votes` samples. The tree may spend as many tokens as the vote did on
    average; reward models are counted beside it. One row a way: accuracy with its standard error, tokens and FLOPs a
    problem, and right, a value a problem.
    """
    config = solver.config
    vote = sampled.at("consistency", config.votes)
    # Equal generated tokens, as Yao et al. compare; the tree's reward models come on top and are counted in FLOPs.
    tokens = round(float(vote.points[0].generated.mean()))
    task.progress(f"{solver.name}: {config.tree}, the {tokens} tokens of {config.votes} chains")
    tree = measure_tree(solver, config.tree, TREES[config.tree], tokens, [tokens])
    ways = {
        "direct": sampled.at("direct", 0),
        "chain": sampled.at("consistency", 1),
        "vote": vote,
        "vote, PRM-weighted": sampled.at("weighted", config.votes),
        "tree": tree.at(config.tree, tokens),
    }
    return [
        {
            "way": name,
            **mean_and_error("accuracy", measured.points[0].right),
            "generated": float(measured.points[0].generated.mean()),
            "scored": float(measured.points[0].scored.mean()),
            "flops": measured.flops[0],
            "right": measured.points[0].right.tolist(),
        }
        for name, measured in ways.items()
    ]
