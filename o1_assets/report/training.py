"""The report's curve of training compute: what each version of baby-o1 cost to make, and what it solves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.formatting import count
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation.difficulty import ALL, EVERY
from o1_assets.evaluation.statistics import Floats, ScalingFit, fit
from o1_assets.evaluation.versions import GENERATOR
from o1_assets.report.table import Table

Rows = Sequence[Mapping[str, Any]]


ALL_STAGES, RL = "all stages", "RL alone"


RESAMPLES = 1000


COLORS = {"easy": plots.GREEN, ALL: plots.INK, "medium": plots.BLUE, "hard": plots.RED}


def training_flops(costs: Rows) -> dict[str, dict[int, float]]:
    """For each of ALL_STAGES and RL: round -> FLOPs so far. costs: asset, flops, and `optional` where it is no part
    of what a policy is made from. Evaluation is not training."""
    by_round: dict[str, dict[int, float]] = {ALL_STAGES: {}, RL: {}}
    for row in costs:
        first, _, stage = str(row["asset"]).partition("/")
        if stage == "eval" or first in ("eval", "report") or row.get("optional"):
            continue
        in_round = first[:1] == "r" and first[1:].isdigit()
        k = int(first[1:]) if in_round else GENERATOR
        for what in (ALL_STAGES, RL) if stage == "policy" else (ALL_STAGES,):
            by_round[what][k] = by_round[what].get(k, 0.0) + float(row["flops"] or 0)
    return {
        what: dict(zip(sorted(own), accumulate(own[k] for k in sorted(own)), strict=True))
        for what, own in by_round.items()
    }


def training_points(solved: pl.DataFrame, costs: Rows) -> list[dict[str, Any]]:
    """solved: as `versions.solved`. Rows: compute (ALL_STAGES or RL), difficulty, round, flops, right (a list, one
    share a problem). Versions whose compute is unknown, or nought, are left out."""
    rows = []
    for compute, so_far in training_flops(costs).items():
        for level in EVERY:
            own = solved if level == ALL else solved.filter(pl.col("difficulty") == level)
            for (k,), part in own.group_by("round", maintain_order=True):
                if flops := so_far.get(int(str(k)), 0.0):
                    rows.append(
                        {
                            "compute": compute,
                            "difficulty": level,
                            "round": k,
                            "flops": flops,
                            "right": part.sort("problem_id")["right"].to_list(),
                        }
                    )
    return rows


def training_fit(points: Rows, compute: str, level: str) -> ScalingFit | None:
    """The line through all versions, none left out; None with fewer than three, or all at one compute."""
    own = _curve(points, compute, level)
    if len(own) < 3 or own[0]["flops"] == own[-1]["flops"] or len(own[0]["right"]) < 2:
        return None
    return fit([row["flops"] for row in own], [_right(row) for row in own], RESAMPLES, 0, saturates=False)


def training_charts(points: Rows) -> list[tuple[list[Series], Axis]]:
    """pass@1 against the compute of all stages, and against that of RL, over all problems and by difficulty."""
    charts = []
    for compute in dict.fromkeys(row["compute"] for row in points):
        series = []
        for level, color in COLORS.items():
            own = _curve(points, compute, level)
            if len(own) > 1:
                x, y = [row["flops"] for row in own], [float(_right(row).mean()) for row in own]
                spread = [_error(row) for row in own] if level == ALL else None
                series.append(Series(level, x, y, color, spread))
        if not series:
            continue
        if line := training_fit(points, compute, ALL):
            x = [row["flops"] for row in _curve(points, compute, ALL)]
            ends = [x[0], x[-1]]
            on = [line.intercept + line.gain * float(np.log2(v)) for v in ends]
            series.append(Series(f"R² {line.r2:.2f}", ends, on, plots.GREY, None, "dashed"))
        shown = [v for one in series for v in one.x]
        ticks = np.geomspace(min(shown), max(shown), 4).tolist()
        charts.append(
            (
                series,
                Axis(
                    f"Accuracy against training compute, {compute}",
                    "FLOPs so far (log scale)",
                    "pass@1",
                    log2=True,
                    ticks=ticks,
                    tick_labels=[count(tick) for tick in ticks],
                ),
            )
        )
    return charts


def training_table(points: Rows) -> Table:
    rows = []
    for compute in dict.fromkeys(row["compute"] for row in points):
        for level in EVERY:
            if line := training_fit(points, compute, level):
                own = _curve(points, compute, level)
                first, last = (100 * float(_right(own[i]).mean()) for i in (0, -1))
                rows.append(
                    (
                        f"{compute}, {level}",
                        f"{first:.1f} → {last:.1f}",
                        f"{100 * line.gain:.1f} ({100 * line.gain_low:.1f} to {100 * line.gain_high:.1f})",
                        f"{line.r2:.3f}",
                        f"{line.decades:.1f}",
                    )
                )
    return Table(
        "Lines through accuracy against training compute",
        "pass@1 in percent against log2 of the FLOPs so far, least squares over all versions; intervals are 95%, over "
        "problems. The first line begins with GPT*. Easy, medium and hard are thirds by how often GPT* solves them.",
        ("compute, problems", "first → last", "points gained a doubling", "R²", "decades"),
        rows,
    )


def _curve(points: Rows, compute: str, level: str) -> list[Mapping[str, Any]]:
    own = [row for row in points if (row["compute"], row["difficulty"]) == (compute, level)]
    return sorted(own, key=lambda row: row["flops"])


def _right(row: Mapping[str, Any]) -> Floats:
    return np.array(row["right"], dtype=np.float64)


def _error(row: Mapping[str, Any]) -> float:
    right = _right(row)
    return float(right.std(ddof=1) / np.sqrt(len(right))) if len(right) > 1 else 0.0
