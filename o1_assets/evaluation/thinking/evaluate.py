"""eval/thinking: what thinking longer buys, and who can use it: base, GPT* and baby-o1, by every strategy.

Writes points.parquet (accuracy, tokens, FLOPs: a row a model, strategy, budget and difficulty), fits.parquet (a line
through each curve before it saturates), optimal.parquet (what was best at each compute), waits.parquet (chains that
were made to doubt), prompting.parquet (four ways of prompting) and plots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_type_hints

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.plots import save_png
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.difficulty import ALL, EVERY, terciles
from o1_assets.evaluation.scored import held_out
from o1_assets.evaluation.statistics import ScalingFit, fit
from o1_assets.evaluation.thinking.charts import limits_chart, thinking_chart, waits_chart
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.evaluation.thinking.envelope import CANDIDATES, OPTIMAL, envelope
from o1_assets.evaluation.thinking.limits import measure_extension, measure_limits
from o1_assets.evaluation.thinking.measure import TREES, Measured, measure_curves, measure_samples
from o1_assets.evaluation.thinking.points import mean_and_error
from o1_assets.evaluation.thinking.prompting import compare_prompting
from o1_assets.evaluation.thinking.solver import Solver

BASE = "base"


MODELS = {BASE: "base", "generator": "GPT*", "policy": "baby-o1"}
"""Input -> what it is called. The base, which nothing taught to think, is compared by its prompting alone."""


BEST_OF_N = "best-of-n"


FITS = {"model": str, "strategy": str, "difficulty": str, **get_type_hints(ScalingFit)}
"""Columns of fits.parquet, which has no row where every strategy has fewer than three points to fit."""


Rows = list[dict[str, Any]]


def make_thinking(task: Task, config: ThinkingConfig) -> Outcome:
    """Inputs: base, generator, policy, prm, q_value, test."""
    test = held_out(pl.read_parquet(task.inputs["test"] / "problems.parquet"), config.problems).to_dicts()
    tables: dict[str, Rows] = {name: [] for name in ("points", "fits", "optimal", "waits", "prompting")}
    cost = Cost()
    difficulty: NDArray[np.str_] | None = None
    for model, name in MODELS.items():
        solver = Solver.open(task, model, test, config)
        if model == BASE:
            found = measure_samples(task, solver, config.votes)
        else:
            found = measure_curves(task, solver) + measure_limits(task, solver)
            extended, waits = measure_extension(task, solver)
            best = envelope(found, config.folds)
            if difficulty is None:
                difficulty = terciles(found.one("consistency", 1).points[0].right)
            curves = found + extended + best.measured
            tables["points"] += _points(name, curves, difficulty)
            tables["fits"] += _fits(
                name, curves, difficulty, config.resamples, derive_seed(task.seed, "bootstrap")
            )
            tables["optimal"] += [
                {"model": name, "step": point.budget, "flops": flops, "chosen": chosen}
                for point, flops, chosen in zip(
                    best.measured.points, best.measured.flops, best.chosen, strict=True
                )
            ]
            tables["waits"] += [{"model": name, **row} for row in waits]
            save_png(task.out / "plots" / f"thinking_{model}.png", *thinking_chart(tables["points"], name))
        tables["prompting"] += [{"model": name, **row} for row in compare_prompting(task, solver, found)]
        cost += solver.cost()
        solver.close()
    save_png(task.out / "plots" / "limits.png", *limits_chart(tables["points"]))
    save_png(task.out / "plots" / "waits.png", *waits_chart(tables["waits"]))
    for name, rows in tables.items():
        schema = FITS if name == "fits" else None
        pl.DataFrame(rows, schema, infer_schema_length=None).write_parquet(task.out / f"{name}.parquet")
    points = pl.DataFrame(tables["points"])
    return Outcome(_figures(points, tables["fits"]), cost, points.height, tables["prompting"])


def _points(model: str, found: Measured, difficulty: NDArray[np.str_]) -> Rows:
    """Each point over all problems, and over each third of them. right: of all of them, a value a problem."""
    rows = []
    for point, flops in zip(found.points, found.flops, strict=True):
        for name in EVERY:
            own = point.right if name == ALL else point.right[difficulty == name]
            rows.append(
                {
                    "model": model,
                    "strategy": point.strategy,
                    "budget": point.budget,
                    "difficulty": name,
                    **mean_and_error("accuracy", own),
                    "generated": float(point.generated.mean()),
                    "scored": float(point.scored.mean()),
                    "flops": flops,
                    "right": own.tolist() if name == ALL else [],
                }
            )
    return rows


def _fits(model: str, found: Measured, difficulty: NDArray[np.str_], resamples: int, seed: int) -> Rows:
    """Accuracy against FLOPs, a line for each strategy and difficulty."""
    made: Rows = []
    for strategy in (*CANDIDATES, "any right", OPTIMAL):
        own = [i for i, point in enumerate(found.points) if point.strategy == strategy]
        own.sort(key=lambda i: found.flops[i])
        for name in EVERY:
            mine = np.full(len(difficulty), True) if name == ALL else difficulty == name
            right = [found.points[i].right[mine] for i in own]
            if line := fit([found.flops[i] for i in own], right, resamples, seed):
                made.append({"model": model, "strategy": strategy, "difficulty": name, **asdict(line)})
    return made


def _figures(points: pl.DataFrame, fits: Sequence[dict[str, Any]]) -> Figures:
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
    reached = table.filter(
        pl.col("strategy").is_in(list(TREES)) & (pl.col("accuracy") >= mark[0]["accuracy"])
    )
    return (
        None
        if reached.is_empty()
        else mark[0]["generated"] / reached.select(pl.col("generated").min()).item()
    )
