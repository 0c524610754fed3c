"""The curves as eval/summary and eval/thinking measured them, and what each version took to train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from o1_assets.ablations.two_curves.curve import Curve
from o1_assets.artifact import Cost
from o1_assets.evaluation.versions import GENERATOR
from o1_assets.thinking.difficulty import ALL

OPTIMAL, BEST_OF_N, MAJORITY = "compute-optimal", "best-of-n", "consistency"
TREES = ("beam", "dvts", "mcts", "astar", "mcts, Q-value")


def training_curve(summary: Path, inputs: Mapping[str, Path], spent: Callable[[str], Cost]) -> Curve:
    """GPT*, then every version of baby-o1: pass@1 on the held-out problems of the rounds, against the FLOPs of all that
    the version was made from, labels' solutions and reward models included, evaluations not.

    inputs: those named version_NN are the policies of the rounds, generator is GPT*.
    """
    solved = pl.read_parquet(summary / "solved.parquet").sort("round", "problem_id")
    names = {GENERATOR: "generator"} | {
        int(name.removeprefix("version_")): name for name in inputs if name.startswith("version_")
    }
    points = sorted((spent(names[k]).flops, k) for k in solved["round"].unique() if k in names)
    right = [solved.filter(pl.col("round") == k)["right"].to_numpy() for _, k in points]
    return Curve(np.array([flops for flops, _ in points]), np.stack(right).astype(np.float64))


def thinking_curve(points: pl.DataFrame, model: str, strategy: str) -> Curve | None:
    """points: of eval/thinking's points.parquet. None where it was measured at no budget, or never right."""
    own = points.filter(
        (pl.col("model") == model) & (pl.col("strategy") == strategy) & (pl.col("difficulty") == ALL)
    ).sort("flops")
    if own.is_empty():
        return None
    return Curve(own["flops"].to_numpy(), np.array(own["right"].to_list(), dtype=np.float64))


def best_tree(points: pl.DataFrame, model: str) -> tuple[str, Curve] | None:
    """The tree search that reaches the highest accuracy, from the budget on at which it is as good as one sample."""
    chain = thinking_curve(points, model, MAJORITY)
    found = {name: curve for name in TREES if (curve := thinking_curve(points, model, name)) is not None}
    if not found or chain is None:
        return None
    name = max(found, key=lambda one: float(found[one].accuracy().max()))
    good = found[name].accuracy() >= chain.accuracy()[0]
    if not good.any():
        return None
    first = int(np.argmax(good))
    return name, Curve(found[name].flops[first:], found[name].right[first:])


def base_and_generator(prompting: pl.DataFrame, spent: Callable[[str], Cost]) -> dict[str, Curve]:
    """One chain, and as many as eval/thinking lets vote, of the base and of GPT*: way -> accuracy against training
    compute. right holds one value a point: no problem is told apart."""
    rows = prompting.filter(pl.col("model").is_in(["base", "GPT*"]))
    flops = {"base": spent("base").flops, "GPT*": spent("generator").flops}
    made = {}
    for way in ("chain", "vote"):
        own = {row["model"]: row for row in rows.filter(pl.col("way") == way).iter_rows(named=True)}
        if len(own) == len(flops):
            accuracy = [[own[model]["accuracy"]] for model in flops]
            made[way] = Curve(np.array(list(flops.values())), np.array(accuracy))
    return made
