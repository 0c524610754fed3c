"""The report's sections on the versions of baby-o1: what each cost to train, solves, and makes of its doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation.charts import LEVEL_COLORS, Plot, flops_axis
from o1_assets.evaluation.statistics import Floats, ScalingFit, fit
from o1_assets.evaluation.versions import ALL, EVERY, GENERATOR, OUTCOMES
from o1_assets.report.table import TextTable, share

Rows = Sequence[Mapping[str, Any]]
ALL_STAGES, RL = "all stages", "RL alone"

# Bootstrap samples of the problems: a page is written in seconds, and the report has no configuration.
RESAMPLES = 1000


def in_round(folder: str) -> int | None:
    """The round of a key's first part: 3 for "r03", None for "base"."""
    return int(folder[1:]) if folder[:1] == "r" and folder[1:].isdigit() else None


def training_flops(costs: Rows) -> dict[str, dict[int, float]]:
    """For each of ALL_STAGES and RL: round -> FLOPs so far. costs: asset, flops, and `optional` where it is no part
    of what a policy is made from. Evaluation is not training."""
    by_round: dict[str, dict[int, float]] = {ALL_STAGES: {}, RL: {}}
    for row in costs:
        first, _, stage = str(row["asset"]).partition("/")
        # Optional parts are measurements beside the loop: no policy is made from them.
        if stage == "eval" or first in ("eval", "report") or row.get("optional"):
            continue
        k = GENERATOR if (number := in_round(first)) is None else number
        # A policy's own training, and everything that it was made from: pre-training, samples, labels, reward models.
        for what in (ALL_STAGES, RL) if stage == "policy" else (ALL_STAGES,):
            by_round[what][k] = by_round[what].get(k, 0.0) + float(row["flops"] or 0)
    return {
        what: dict(zip(sorted(flops), accumulate(flops[k] for k in sorted(flops)), strict=True))
        for what, flops in by_round.items()
    }


def training_points(solved: pl.DataFrame, costs: Rows) -> list[dict[str, Any]]:
    """solved: as `versions.solved`. Rows: compute (ALL_STAGES or RL), difficulty, round, flops, right (a list, one
    share a problem). Versions whose compute is unknown, or 0, are left out."""
    rows = []
    for compute, so_far in training_flops(costs).items():
        for level in EVERY:
            table = solved if level == ALL else solved.filter(pl.col("difficulty") == level)
            for (k,), part in table.group_by("round", maintain_order=True):
                # GPT* has no RL compute: a point at 0 has no place on a log axis.
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
    curve = _curve(points, compute, level)
    if len(curve) < 3 or curve[0]["flops"] == curve[-1]["flops"] or len(curve[0]["right"]) < 2:
        return None
    # saturates=False: a dozen versions are too few to leave any out.
    return fit([row["flops"] for row in curve], [_right(row) for row in curve], RESAMPLES, 0, saturates=False)


def training_charts(points: Rows) -> list[Plot]:
    """pass@1 against the compute of all stages, and against that of RL, over all problems and by difficulty."""
    charts = []
    for compute in dict.fromkeys(row["compute"] for row in points):
        series = []
        for level, color in LEVEL_COLORS.items():
            curve = _curve(points, compute, level)
            if len(curve) > 1:
                x, y = [row["flops"] for row in curve], [float(_right(row).mean()) for row in curve]
                spread = [_error(row) for row in curve] if level == ALL else None
                series.append(Series(level, x, y, color, spread))
        if not series:
            continue
        if line := training_fit(points, compute, ALL):
            x = [row["flops"] for row in _curve(points, compute, ALL)]
            ends = [x[0], x[-1]]
            y = [line.intercept + line.gain * float(np.log2(v)) for v in ends]
            series.append(Series(f"R² {line.r2:.2f}", ends, y, plots.GREY, None, "dashed"))
        title = f"Accuracy against training compute, {compute}"
        axis = flops_axis(series, title, "FLOPs so far (log scale)", ticks=4)
        charts.append((series, replace(axis, y="pass@1")))
    return charts


def training_table(points: Rows) -> TextTable:
    rows = []
    for compute in dict.fromkeys(row["compute"] for row in points):
        for level in EVERY:
            if line := training_fit(points, compute, level):
                curve = _curve(points, compute, level)
                # Sorted by compute, so these are the cheapest and the dearest version.
                first, last = (100 * float(_right(curve[i]).mean()) for i in (0, -1))
                rows.append(
                    (
                        f"{compute}, {level}",
                        f"{first:.1f} → {last:.1f}",
                        f"{100 * line.gain:.1f} ({100 * line.gain_low:.1f} to {100 * line.gain_high:.1f})",
                        f"{line.r2:.3f}",
                        f"{line.decades:.1f}",
                    )
                )
    return TextTable(
        "Lines through accuracy against training compute",
        "pass@1 in percent against log2 of the FLOPs so far, least squares over all versions; intervals are 95%, over "
        "problems. The first line begins with GPT*. Easy, medium and hard are thirds by how often GPT* solves them.",
        ("compute, problems", "first → last", "points gained a doubling", "R²", "decades"),
        rows,
    )


def _curve(points: Rows, compute: str, level: str) -> list[Mapping[str, Any]]:
    curve = [row for row in points if (row["compute"], row["difficulty"]) == (compute, level)]
    return sorted(curve, key=lambda row: row["flops"])


def _right(row: Mapping[str, Any]) -> Floats:
    return np.array(row["right"], dtype=np.float64)


def _error(row: Mapping[str, Any]) -> float:
    right = _right(row)
    return float(right.std(ddof=1) / np.sqrt(len(right))) if len(right) > 1 else 0.0


# Does a policy doubt its steps, rightly, and what does it make of it?

OFTEN = {
    "doubting": ("of all solutions", plots.ORANGE),
    "noticed": ("of first errors", plots.BLUE),
}

RIGHTLY = {
    "rightly": ("rightly", plots.GREY),
    "wrong_to_right": ("wrong to right", plots.GREEN),
    "right_to_wrong": ("right to wrong", plots.RED),
}

COLUMNS = {
    "doubting": "of all solutions",
    "noticed": "of first errors",
    "rightly": "rightly",
    **{name: name.replace("_", " ") for name in OUTCOMES},
}


def version(k: int) -> str:
    return "GPT*" if k == GENERATOR else f"v{k}"


def doubt_charts(rows: Rows) -> list[Plot]:
    """rows: of corrections.parquet."""
    x = [float(row["round"]) for row in rows]
    # Without the v: up to twelve of them stand below one axis.
    names = [version(row["round"]).removeprefix("v") for row in rows]
    charts = []
    for title, lines in (
        ("How often a policy doubts itself", OFTEN),
        ("What becomes of its doubts", RIGHTLY),
    ):
        series = [
            Series(
                label, x, [row[name] for row in rows], color, [row[f"{name}_error"] or 0.0 for row in rows]
            )
            for name, (label, color) in lines.items()
            if any(row[name] is not None for row in rows)
        ]
        if series:
            label = "GPT*, then baby-o1 after each round"
            charts.append((series, Axis(title, label, "", ticks=x, tick_labels=names, from_zero=True)))
    return charts


def doubt_table(rows: Rows) -> TextTable:
    return TextTable(
        "Doubts of each version",
        "In percent, with standard errors over problems: how many solutions doubt, how many first errors are doubted "
        "at once; then, of the doubts, those about an error, and what was made of what. A doubt is a step that begins "
        "with “wait” and replaces the operation before it; the exact checker says whether each was right.",
        ("version", *COLUMNS.values(), "doubts"),
        [
            (
                version(row["round"]),
                *(share(row[name], row[f"{name}_error"]) for name in COLUMNS),
                f"{row['doubts']} in {row['solutions']}",
            )
            for row in rows
        ],
    )
