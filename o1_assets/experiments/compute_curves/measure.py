"""Curves of accuracy against compute, from what eval/summary and eval/thinking measured and what each version cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation import statistics
from o1_assets.evaluation.statistics import Floats, before_saturation
from o1_assets.evaluation.versions import ALL, GENERATOR

# Half of a normal 95% interval, in standard errors. Claims have bootstrap intervals; this is for bands.
Z = 1.96
OPTIMAL, BEST_OF_N, MAJORITY = "compute-optimal", "best-of-n", "consistency"
TREES = ("beam", "dvts", "mcts", "astar", "mcts, Q-value")


@dataclass(frozen=True)
class ComputeCurve:
    """Accuracy against compute. flops: rising, [points]. right: share of the tries that ended right, [points,
    problems]."""

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
        # 1e-9: FLOPs are sums of floats, and a span of exactly 64 may come out as 63.999.
        far = np.flatnonzero(self.flops >= self.flops[0] * factor * (1 - 1e-9))
        return int(far[0]) + 1 if len(far) else None

    def factor(self, points: int) -> float:
        """Between the first and the last of the first `points` points."""
        return float(self.flops[points - 1] / self.flops[0])


@dataclass(frozen=True)
class FittedLine:
    """accuracy = intercept + gain * log2(flops) through the first `points` points, which span `factor`."""

    line: statistics.LeastSquares
    points: int
    factor: float

    def at(self, flops: float) -> float:
        return self.line.intercept + self.line.gain * float(np.log2(flops))


def fit_line(curve: ComputeCurve, points: int, resamples: int, seed: int) -> FittedLine | None:
    """None through fewer than three points, or all at one compute."""
    if points < 3 or curve.flops[points - 1] == curve.flops[0]:
        return None
    x, right = np.log2(curve.flops[:points]), curve.right[:points]
    return FittedLine(statistics.line(x, right, resamples, seed), points, curve.factor(points))


def fit_over(curve: ComputeCurve, factor: float, resamples: int, seed: int) -> FittedLine | None:
    """Through all that comes before saturation, and on to `factor` times the least compute where that is earlier.

    Else a curve that saturates at once would have a perfect line, through its first three points. None where the
    curve does not reach that far.
    """
    reaching = curve.reaching(factor)
    if reaching is None:
        return None
    return fit_line(curve, max(reaching, curve.saturated()), resamples, seed)


def training_curve(summary: Path, inputs: Mapping[str, Path], cost_of: Callable[[str], Cost]) -> ComputeCurve:
    """GPT*, then every version of baby-o1: pass@1 on the held-out problems of the rounds, against the FLOPs of all that
    the version was made from, labels' solutions and reward models included, evaluations not.

    inputs: those named version_NN are the policies of the rounds, generator is GPT*.
    """
    solved = read_parquet(summary / "solved.parquet").sort("round", "problem_id")
    # A summary may hold more rounds than the graph has today: only versions that are inputs have a cost.
    names = {GENERATOR: "generator"} | {
        int(name.removeprefix("version_")): name for name in inputs if name.startswith("version_")
    }
    # Sorted by compute, which is the x axis; a later round need not be the dearer one.
    points = sorted((cost_of(names[k]).flops, k) for k in solved["round"].unique() if k in names)
    right = [solved.filter(pl.col("round") == k)["right"].to_numpy() for _, k in points]
    return ComputeCurve(np.array([flops for flops, _ in points]), np.stack(right).astype(np.float64))


def thinking_curve(points: pl.DataFrame, model: str, strategy: str) -> ComputeCurve | None:
    """points: of eval/thinking's points.parquet. From the compute of one chain on: below that a search runs out of
    tokens before its first answer, which says nothing about thinking. None where it was measured at no such budget."""
    of_model = points.filter((pl.col("model") == model) & (pl.col("difficulty") == ALL))
    chains = of_model.filter(pl.col("strategy") == MAJORITY)["flops"].to_list()
    # 1e-9: FLOPs are sums of floats, and a search of one chain may come out a little below it.
    rows = of_model.filter(
        (pl.col("strategy") == strategy) & (pl.col("flops") >= min(chains, default=0.0) * (1 - 1e-9))
    ).sort("flops")
    if rows.is_empty():
        return None
    return ComputeCurve(rows["flops"].to_numpy(), np.array(rows["right"].to_list(), dtype=np.float64))


def best_tree(points: pl.DataFrame, model: str) -> tuple[str, ComputeCurve] | None:
    """The tree search that reaches the highest accuracy, from the budget on at which it is as good as one sample.

    Below that a search runs out of tokens before its first answer, which says nothing about searching.
    """
    chain = thinking_curve(points, model, MAJORITY)
    curves = {name: curve for name in TREES if (curve := thinking_curve(points, model, name)) is not None}
    if not curves or chain is None:
        return None
    name = max(curves, key=lambda tree: float(curves[tree].accuracy().max()))
    good = curves[name].accuracy() >= chain.accuracy()[0]
    if not good.any():
        return None
    first = int(np.argmax(good))
    return name, ComputeCurve(curves[name].flops[first:], curves[name].right[first:])


def base_and_generator(prompting: pl.DataFrame, cost_of: Callable[[str], Cost]) -> dict[str, ComputeCurve]:
    """One chain, and the vote of eval/thinking, by the base and by GPT*: way -> accuracy against training compute.
    right holds one value a point, [2, 1]: the table does not tell problems apart."""
    flops = {"base": cost_of("base").flops, "GPT*": cost_of("generator").flops}
    curves = {}
    for prompt in ("chain", "vote"):
        rows = prompting.filter((pl.col("way") == prompt) & pl.col("model").is_in(list(flops)))
        accuracy = dict(rows.select("model", "accuracy").iter_rows())
        if len(accuracy) == len(flops):
            right = np.array([[accuracy[model]] for model in flops])
            curves[prompt] = ComputeCurve(np.array(list(flops.values())), right)
    return curves
