"""What was watched along the trainings: curves of belief against truth, and how far they drift apart.

The frame has a row an arm, seed and update (watched.py). Equal seeds of different arms saw the same problems in the
same update, so that differences of two arms at an update are of equal problems.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from o1_assets.ablations.intervals import Floats, Interval, interval
from o1_assets.ablations.result import Chart, Table
from o1_assets.evaluation import plots
from o1_assets.evaluation.plots import Axis, Series

COLORS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.PURPLE, plots.SKY, plots.GREY)
GAP = "gap"
"""prm - true: how much more the PRM believes in the policy's solutions than is right of them."""

SHOWN = {
    "reward": "PRM's step values, summed",
    "true": "right",
    "prm": "PRM's belief",
    "orm": "ORM's belief",
    GAP: "PRM's belief - right",
    "tokens": "tokens",
    "steps": "steps",
    "check": "`check` steps",
    "wait": "`wait` steps",
    "repeated": "repeated steps",
    "neutral": "P(neutral)",
}
"""Columns of the table of trainings, as they are called there."""


def with_gap(watched: pl.DataFrame) -> pl.DataFrame:
    return watched.with_columns(
        (pl.col("prm") - pl.col("true")).alias(GAP), (pl.col("orm") - pl.col("true")).alias("orm_gap")
    )


def by_update(watched: pl.DataFrame, arm: str, column: str) -> Floats:
    """[seeds, updates]."""
    own = watched.filter(pl.col("arm") == arm).sort("seed", "update")
    return np.stack([part[column].to_numpy() for _, part in own.group_by("seed", maintain_order=True)])


def windows(values: Floats, count: int) -> tuple[list[float], list[float]]:
    """(the last update of each of `count` equal parts, the part's mean over updates and seeds)."""
    parts = np.array_split(np.arange(values.shape[1]), min(count, values.shape[1]))
    return [float(part[-1] + 1) for part in parts], [float(values[:, part].mean()) for part in parts]


def quarters(values: Floats) -> tuple[Floats, Floats]:
    """The first and the last quarter of the updates, [seeds, updates / 4], at least two of them."""
    size = max(2, values.shape[1] // 4)
    return values[:, :size], values[:, -size:]


def growth(values: Floats, resamples: int, seed: int) -> Interval:
    """Mean of the last quarter of the updates minus that of the first, over seeds and updates.

    Updates are resampled in pairs, one of each quarter: their problems are drawn independently.
    """
    first, last = quarters(values)
    return interval(last - first, resamples, seed)


def curve_charts(watched: pl.DataFrame, arms: Sequence[str], count: int) -> dict[str, Chart]:
    """arms: those that were trained."""
    bare = [arm for arm in arms if arm.startswith("process")]
    charts = {
        "truth": (arms, "true", "Right solutions along the training", "share right", True),
        "length": (arms, "tokens", "Length of a solution along the training", "tokens", False),
        "checks": (arms, "check", "Steps that only check", "share of steps", True),
        "repeats": (arms, "repeated", "Steps that the solution had already", "share of steps", True),
    }
    if bare:
        charts["belief_minus_truth"] = (
            bare, GAP, "How much more the PRM believes than is right", "belief - share right", True,
        )  # fmt: skip
    made = {
        name: Chart([_line(watched, arm, column, count, i) for i, arm in enumerate(own)],
                    Axis(title, "update", unit, percent=percent))
        for name, (own, column, title, unit, percent) in charts.items()
    }  # fmt: skip
    pair = [arm for arm in ("process_bare", "process") if arm in arms]
    if pair:
        made["belief_and_truth"] = Chart(
            [
                _line(watched, arm, column, count, i, f"{arm}: {SHOWN[column]}", column == "prm")
                for i, arm in enumerate(pair)
                for column in ("prm", "true")
            ],
            Axis("What the PRM believes, and what is right", "update", "share of solutions"),
        )
    return made


GROWS = ("reward", "true", GAP, "orm_gap", "steps", "tokens", "check", "repeated", "wait")
"""What growth_table shows."""


def growth_table(watched: pl.DataFrame, arms: Sequence[str], resamples: int, seed: int) -> Table:
    """A row an arm and column: `growth` with its interval."""
    rows = []
    for arm in arms:
        for column in GROWS:
            found = growth(by_update(watched, arm, column), resamples, seed)
            name = SHOWN.get(column, "ORM's belief - right")
            rows.append(
                {"arm": arm, "what": name, "growth": found.mean, "low": found.low, "high": found.high}
            )
    return Table(
        "Growth from the first quarter of the updates to the last, with 95% intervals", pl.DataFrame(rows)
    )


def _line(
    watched: pl.DataFrame,
    arm: str,
    column: str,
    count: int,
    place: int,
    label: str = "",
    dashed: bool = False,
) -> Series:
    x, y = windows(by_update(watched, arm, column), count)
    dashed = dashed or place >= len(COLORS)
    return Series(label or arm, x, y, COLORS[place % len(COLORS)], style="dashed" if dashed else "line")


def curve_table(watched: pl.DataFrame, arms: Sequence[str]) -> Table:
    """A row an arm: means of the last quarter of the updates over all seeds, and of the first for what is right."""
    rows: list[dict[str, object]] = []
    for arm in arms:
        values = {column: by_update(watched, arm, column) for column in SHOWN}
        ends = {SHOWN[column]: float(quarters(v)[1].mean()) for column, v in values.items()}
        starts = {
            f"{SHOWN[column]}, first": float(quarters(values[column])[0].mean()) for column in ("true", GAP)
        }
        rows.append({"arm": arm, **starts, **ends})
    return Table(
        "The last quarter of the trainings, on the policy's own samples of training problems",
        pl.DataFrame(rows),
    )
