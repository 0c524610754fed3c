"""eval/thinking: what base, GPT* and baby-o1 gain by thinking longer, with every strategy.

Writes points.parquet (accuracy, tokens, FLOPs: a row a model, strategy, budget and difficulty), fits.parquet (a line
through each curve before it saturates), optimal.parquet (what was best at each compute), waits.parquet (chains that
were made to doubt), prompting.parquet (four ways of prompting), batches.parquet (baby-o1 with a time-out) and plots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_type_hints

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.plots import save_png
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.charts import limits_chart, thinking_chart, waits_chart
from o1_assets.evaluation.evaluate_policy import held_out
from o1_assets.evaluation.statistics import ScalingFit, fit
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.evaluation.thinking.measure import (
    CHECKED,
    TREES,
    MeasuredPoints,
    compare_prompting,
    measure_curves,
    measure_extension,
    measure_limits,
    measure_samples,
)
from o1_assets.evaluation.thinking.paced import measure_batches
from o1_assets.evaluation.thinking.points import SAMPLED, Point, mean_and_error
from o1_assets.evaluation.thinking.solver import Solver
from o1_assets.evaluation.versions import ALL, EVERY, terciles

BASE, POLICY = "base", "policy"

# Input -> what it is called. The base, which nothing taught to think, is compared by its prompting alone.
MODELS = {BASE: "base", "generator": "GPT*", POLICY: "baby-o1"}
BEST_OF_N, OPTIMAL = "best-of-n", "compute-optimal"

# What compute-optimal chooses from: at least one whole chain, which the curve begins with, and nothing that knows the
# answer.
CANDIDATES = (*(name for name in SAMPLED if name != "any right"), *TREES, *CHECKED)

# Columns of fits.parquet, which has no row where every strategy has fewer than three points to fit.
FITS = {"model": str, "strategy": str, "difficulty": str, **get_type_hints(ScalingFit)}
Rows = list[dict[str, Any]]


def make_thinking(task: Task, config: ThinkingConfig) -> Outcome:
    """Inputs: base, generator, policy, prm, q_value, test."""
    test = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems).to_dicts()
    names = ("points", "fits", "optimal", "waits", "prompting", "batches")
    tables: dict[str, Rows] = {name: [] for name in names}
    seconds: dict[str, float] = {}
    cost = Cost()
    difficulty: NDArray[np.str_] | None = None
    for model, name in MODELS.items():
        solver = Solver.open(task, model, test, config)
        # Without the format that SFT teaches there is little in a base's curves; it is a row of the prompting table.
        if model == BASE:
            sampled = measure_samples(task, solver, config.votes)
        else:
            sampled = measure_curves(task, solver) + measure_limits(task, solver)
            extended, waits = measure_extension(task, solver)
            best = envelope(sampled, config.folds)
            # GPT* comes first: both models' problems are sorted by how often it solves them.
            if difficulty is None:
                difficulty = terciles(sampled.at("consistency", 1).points[0].right)
            curves = sampled + extended + best.measured
            seed = derive_seed(task.seed, "bootstrap")
            tables["points"] += _points(name, curves, difficulty)
            tables["fits"] += _fits(name, curves, difficulty, config.resamples, seed)
            tables["optimal"] += [
                {"model": name, "step": point.budget, "flops": flops, "chosen": chosen}
                for point, flops, chosen in zip(
                    best.measured.points, best.measured.flops, best.chosen, strict=True
                )
            ]
            tables["waits"] += [{"model": name, **row} for row in waits]
            save_png(task.out / "plots" / f"thinking_{model}.png", *thinking_chart(tables["points"], name))
        if model == POLICY:
            tables["batches"], seconds = measure_batches(task, solver)
        tables["prompting"] += [{"model": name, **row} for row in compare_prompting(task, solver, sampled)]
        cost += solver.cost()
        solver.close()
    save_png(task.out / "plots" / "limits.png", *limits_chart(tables["points"]))
    save_png(task.out / "plots" / "waits.png", *waits_chart(tables["waits"]))
    for name, rows in tables.items():
        schema = FITS if name == "fits" else None
        pl.DataFrame(rows, schema, infer_schema_length=None).write_parquet(task.out / f"{name}.parquet")
    points = pl.DataFrame(tables["points"])
    sample = [{k: v for k, v in row.items() if k != "right"} for row in tables["prompting"]]
    figures: Figures = {**_figures(points, tables["fits"]), **seconds}
    return Outcome(figures, cost, points.height, sample)


@dataclass(frozen=True)
class Envelope:
    """measured: one point a budget, whose `budget` is its number. chosen: the strategy and budget that most folds of
    the problems chose at each."""

    measured: MeasuredPoints
    chosen: list[str]


def envelope(measured: MeasuredPoints, folds: int) -> Envelope:
    """The best known way of thinking for a given compute: the compute-optimal curve (Snell et al., arXiv:2408.03314,
    section 3.1).

    For compute that doubles from that of the cheapest point: in each fold of the problems the strategy and budget
    that was best on the other folds at no more than that. Chosen on the problems it is measured on, the luckiest of
    dozens of points would win. Every point's compute is its mean over all problems, known before a problem is seen.
    Budgets at which nothing better was chosen are left out.
    """
    usable = [i for i, point in enumerate(measured.points) if point.strategy in CANDIDATES]
    points = [measured.points[i] for i in usable]
    flops = np.array([measured.flops[i] for i in usable])
    right = np.stack([point.right for point in points])  # [points, problems]
    problems = right.shape[1]
    fold = np.arange(problems) % min(folds, problems)
    curve, spent, names = [], [], []
    before: list[int] = []
    # 1e-9: a quotient of two sums of FLOPs that is a power of two may come out a little above or below it.
    steps = int(np.ceil(np.log2(flops.max() / flops.min()) - 1e-9))
    for step in range(steps + 1):
        allowed = np.flatnonzero(flops <= flops.min() * 2**step * (1 + 1e-9))
        choice = [int(allowed[right[allowed][:, fold != f].mean(1).argmax()]) for f in range(fold.max() + 1)]
        if choice == before:
            continue
        before = choice
        at = np.array(choice)[fold]  # [problems]: the point that each problem's fold chose
        curve.append(
            Point(
                OPTIMAL,
                step,
                right[at, np.arange(problems)],
                np.array([points[c].generated[i] for i, c in enumerate(at)]),
                np.array([points[c].scored[i] for i, c in enumerate(at)]),
            )
        )
        spent.append(float(flops[at].mean()))
        most = points[Counter(choice).most_common(1)[0][0]]
        names.append(f"{most.strategy} {most.budget}")
    return Envelope(MeasuredPoints(curve, spent), names)


def _points(model: str, measured: MeasuredPoints, difficulty: NDArray[np.str_]) -> Rows:
    """Each point over all problems, and over each third of them. right: of all of them, a value a problem."""
    rows = []
    for point, flops in zip(measured.points, measured.flops, strict=True):
        for level in EVERY:
            right = point.right if level == ALL else point.right[difficulty == level]
            rows.append(
                {
                    "model": model,
                    "strategy": point.strategy,
                    "budget": point.budget,
                    "difficulty": level,
                    **mean_and_error("accuracy", right),
                    "generated": float(point.generated.mean()),
                    "scored": float(point.scored.mean()),
                    "flops": flops,
                    "right": right.tolist() if level == ALL else [],
                }
            )
    return rows


def _fits(
    model: str, measured: MeasuredPoints, difficulty: NDArray[np.str_], resamples: int, seed: int
) -> Rows:
    """Accuracy against FLOPs, a line for each strategy and difficulty."""
    rows: Rows = []
    for strategy in (*CANDIDATES, "any right", OPTIMAL):
        curve = [i for i, point in enumerate(measured.points) if point.strategy == strategy]
        if not curve:  # one of those that only some worlds have
            continue
        curve.sort(key=lambda i: measured.flops[i])
        flops = [measured.flops[i] for i in curve]
        for level in EVERY:
            within = np.full(len(difficulty), True) if level == ALL else difficulty == level
            right = [measured.points[i].right[within] for i in curve]
            if fitted := fit(flops, right, resamples, seed):
                rows.append({"model": model, "strategy": strategy, "difficulty": level, **asdict(fitted)})
    return rows


def _figures(points: pl.DataFrame, fits: Sequence[dict[str, Any]]) -> Figures:
    # Headlines are over all problems; the thirds have their own rows.
    everything = points.filter(pl.col("difficulty") == ALL)
    figures: Figures = {}
    lines = {(f["model"], f["strategy"]): f for f in fits if f["difficulty"] == ALL}
    for model in everything["model"].unique(maintain_order=True):
        for strategy in (BEST_OF_N, OPTIMAL):
            line = lines.get((model, strategy), {})
            name = f"{model}, {strategy}"
            figures[f"test_time_r2 {name}"] = line.get("r2")
            figures[f"test_time_decades {name}"] = line.get("decades")
            figures[f"test_time_r2_whole {name}"] = line.get("r2_whole")
            figures[f"test_time_decades_whole {name}"] = line.get("decades_whole")
        figures[f"token_saving {model}"] = token_saving(everything.filter(pl.col("model") == model))
    return figures


def token_saving(table: pl.DataFrame, n: int = 64) -> float | None:
    """How many times fewer tokens than best of n the best tree search needs for best of n's accuracy.

    table: rows of one model over all problems. None if no tree search gets there.
    """
    mark = table.filter((pl.col("strategy") == BEST_OF_N) & (pl.col("budget") == n)).to_dicts()
    if not mark:
        return None
    as_good = table.filter(
        pl.col("strategy").is_in(list(TREES)) & (pl.col("accuracy") >= mark[0]["accuracy"])
    )
    fewest = as_good.select(pl.col("generated").min()).item()
    return None if fewest is None else mark[0]["generated"] / fewest
