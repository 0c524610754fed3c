"""eval/thinking: what thinking longer buys, for GPT* and for baby-o1, by every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.evaluation.plots import save_png
from o1_assets.evaluation.scored import held_out
from o1_assets.seeds import derive_seed
from o1_assets.thinking.charts import thinking_chart
from o1_assets.thinking.config import ThinkingConfig
from o1_assets.thinking.fit import fit
from o1_assets.thinking.measure import TREES, Measured, measure
from o1_assets.thinking.points import Point

MODELS = {"generator": "GPT*", "policy": "baby-o1"}
HEADLINE = "best-of-n"
"""The strategy whose curve the headline figure is read from."""


def make_thinking(task: Task, config: ThinkingConfig) -> Outcome:
    """Inputs: generator, policy, prm, q_value, test. Writes points.parquet and fits.parquet."""
    test = held_out(pl.read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    rows: list[dict[str, Any]] = []
    fits: list[dict[str, Any]] = []
    cost = Cost()
    difficulty: NDArray[np.str_] | None = None
    for model, name in MODELS.items():
        measured = measure(task, model, test.to_dicts(), config)
        cost += measured.cost
        if difficulty is None:
            difficulty = _terciles(next(p.right for p in measured.points if p.budget == 1))
        for point, flops in zip(measured.points, measured.flops, strict=True):
            rows += _rows(name, point, flops, difficulty)
        fits += _fits(name, measured, config.resamples, derive_seed(task.seed, "bootstrap"))
        save_png(task.out / "plots" / f"thinking_{model}.png", *thinking_chart(rows, name))
    table = pl.DataFrame(rows)
    table.write_parquet(task.out / "points.parquet")
    pl.DataFrame(fits).write_parquet(task.out / "fits.parquet")
    sample = table.filter(pl.col("difficulty") == "all").tail(5).to_dicts()
    return Outcome(_figures(table, fits), cost, table.height, sample)


def _terciles(right: NDArray[np.float64]) -> NDArray[np.str_]:
    """easy, medium or hard for each problem, a third of them each, by how often GPT* solves it (Snell et al.,
    arXiv:2408.03314, section 3.2)."""
    order = np.argsort(-right, kind="stable")
    names = np.empty(len(right), dtype="<U6")
    for name, part in zip(("easy", "medium", "hard"), np.array_split(order, 3), strict=True):
        names[part] = name
    return names


def _rows(model: str, point: Point, flops: float, difficulty: NDArray[np.str_]) -> list[dict[str, Any]]:
    """The point over all problems, and over each third of them. error: standard error over problems."""
    rows = []
    for name in ("all", "easy", "medium", "hard"):
        own = point.right if name == "all" else point.right[difficulty == name]
        rows.append(
            {
                "model": model,
                "strategy": point.strategy,
                "budget": point.budget,
                "difficulty": name,
                "accuracy": float(own.mean()),
                "error": float(own.std(ddof=1) / np.sqrt(len(own))),
                "generated": float(point.generated.mean()),
                "scored": float(point.scored.mean()),
                "flops": flops,
            }
        )
    return rows


def _fits(name: str, measured: Measured, resamples: int, seed: int) -> list[dict[str, Any]]:
    """Accuracy against FLOPs, a line for each strategy."""
    made = []
    for strategy in dict.fromkeys(point.strategy for point in measured.points):
        own = [i for i, point in enumerate(measured.points) if point.strategy == strategy]
        flops, right = [measured.flops[i] for i in own], [measured.points[i].right for i in own]
        if found := fit(flops, right, resamples, seed):
            made.append({"model": name, "strategy": strategy, **asdict(found)})
    return made


def _figures(table: pl.DataFrame, fits: Sequence[dict[str, Any]]) -> dict[str, float | int | str | None]:
    everything = table.filter(pl.col("difficulty") == "all")
    figures: dict[str, float | int | str | None] = {}
    for model in MODELS.values():
        own = next((f for f in fits if (f["model"], f["strategy"]) == (model, HEADLINE)), None)
        figures[f"test_time_r2 {model}"] = own["r2"] if own else None
        figures[f"test_time_decades {model}"] = own["decades"] if own else None
        figures[f"token_saving {model}"] = token_saving(everything.filter(pl.col("model") == model))
    return figures


def token_saving(table: pl.DataFrame, n: int = 64) -> float | None:
    """How many times fewer tokens than best of n the best tree search needs for best of n's accuracy.

    table: rows of one model over all problems. None if no tree search gets there.
    """
    mark = table.filter((pl.col("strategy") == HEADLINE) & (pl.col("budget") == n)).to_dicts()
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
