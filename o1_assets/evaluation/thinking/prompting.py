"""Four ways of prompting, as Yao et al. (arXiv:2305.10601, figure 1) draw them: an answer at once, a chain of
thought, chains with a vote, a tree of thoughts; the last two at equal tokens."""

from __future__ import annotations

from typing import Any

from o1_assets.core.artifact import Task
from o1_assets.evaluation.thinking.measure import TREES, Measured, measure_tree
from o1_assets.evaluation.thinking.points import mean_and_error
from o1_assets.evaluation.thinking.solver import Solver

WAYS = ("direct", "chain", "vote", "vote, PRM-weighted", "tree")


def compare_prompting(task: Task, solver: Solver, sampled: Measured) -> list[dict[str, Any]]:
    """One row a way: accuracy with its standard error, tokens and FLOPs a problem.

    sampled: as `measure_samples` found it, with at least `votes` samples. The tree may spend as many tokens as the
    vote did on average; reward models are counted beside it.
    """
    config = solver.config
    [vote] = sampled.one("consistency", config.votes).points
    tokens = round(float(vote.generated.mean()))
    task.progress(f"{solver.name}: {config.tree}, the {tokens} tokens of {config.votes} chains")
    tree = measure_tree(solver, config.tree, TREES[config.tree], tokens, [tokens])
    chosen = {
        "direct": sampled.one("direct", 0),
        "chain": sampled.one("consistency", 1),
        "vote": sampled.one("consistency", config.votes),
        "vote, PRM-weighted": sampled.one("weighted", config.votes),
        "tree": tree.one(config.tree, tokens),
    }
    return [
        {
            "way": way,
            **mean_and_error("accuracy", found.points[0].right),
            "generated": float(found.points[0].generated.mean()),
            "scored": float(found.points[0].scored.mean()),
            "flops": found.flops[0],
        }
        for way, found in chosen.items()
    ]
