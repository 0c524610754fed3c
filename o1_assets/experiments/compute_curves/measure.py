"""The curves as eval/summary and eval/thinking measured them, and what each version took to train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost
from o1_assets.evaluation.statistics import Floats, before_saturation, r_squared
from o1_assets.evaluation.versions import ALL, GENERATOR

# Accuracy against log2 compute: one curve, and the least-squares line through its beginning.

Z = 1.96


@dataclass(frozen=True)
class Curve:
    """flops: rising, [points]. right: share of the tries that ended right, [points, problems]."""

    flops: Floats
    right: Floats

    def accuracy(self) -> Floats:
        return self.right.mean(1)

    def margin(self) -> Floats:
        """Half of the 95% interval of each point, over problems."""
        problems = self.right.shape[1]
        return Z * self.right.std(1, ddof=1) / np.sqrt(problems)

    def saturated(self) -> int:
        """How many points there are up to the first that the best one does not beat by its standard error."""
        return before_saturation(self.right)

    def reaching(self, factor: float) -> int | None:
        """How many points span at least `factor` in compute; None if all of them do not."""
        far = np.flatnonzero(self.flops >= self.flops[0] * factor * (1 - 1e-9))
        return int(far[0]) + 1 if len(far) else None

    def factor(self, points: int) -> float:
        """Between the first and the last of the first `points` points."""
        return float(self.flops[points - 1] / self.flops[0])


@dataclass(frozen=True)
class Line:
    """accuracy = intercept + gain * log2(flops) through the first `points` points; intervals 95%, over problems."""

    gain: float
    intercept: float
    r2: float
    r2_low: float
    r2_high: float
    points: int
    factor: float

    def at(self, flops: float) -> float:
        return self.intercept + self.gain * float(np.log2(flops))


def line(curve: Curve, points: int, resamples: int, seed: int) -> Line | None:
    """None through fewer than three points, or all at one compute."""
    if points < 3 or curve.flops[points - 1] == curve.flops[0]:
        return None
    x, table = np.log2(curve.flops[:points]), curve.right[:points]
    y = table.mean(1)
    gain, intercept = np.polyfit(x, y, 1)
    problems = table.shape[1]
    drawn = np.random.default_rng(seed).integers(problems, size=(resamples, problems))
    low, high = np.quantile(r_squared(x, table[:, drawn].mean(2)), [0.025, 0.975])
    return Line(
        float(gain),
        float(intercept),
        float(r_squared(x, y)),
        float(low),
        float(high),
        points,
        curve.factor(points),
    )


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
