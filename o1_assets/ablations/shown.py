"""An experiment's result as the report and `o1 report --json` show it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.evaluation.headline import Headline, headline

MEASURE = "pass@1"
"""What arms are ranked by."""


@dataclass(frozen=True)
class Shown:
    """rows: arms.parquet of MEASURE, arms in order. says: arm -> what it does. others: measure -> arm -> mean."""

    name: str
    title: str
    question: str
    measure: str
    today: str
    simplest_unbeaten: str
    seeds: int
    says: Mapping[str, str]
    rows: Sequence[dict[str, Any]]
    others: Mapping[str, Mapping[str, float]]


def read(folder: Path) -> Shown:
    """From the folder of `ablations/<experiment>/result`."""
    result = json.loads((folder / "result.json").read_text())
    arms = pl.read_parquet(folder / "arms.parquet")
    further = [name for name in arms["measure"].unique(maintain_order=True) if name != MEASURE]
    return Shown(
        name=result["name"],
        title=result["title"],
        question=result["question"],
        measure=MEASURE,
        today=result["today"],
        simplest_unbeaten=result["simplest_unbeaten"],
        seeds=result["seeds"],
        says={arm["name"]: arm["says"] for arm in result["arms"]},
        rows=arms.filter(pl.col("measure") == MEASURE).to_dicts(),
        others={
            name: dict(arms.filter(pl.col("measure") == name).select("arm", "mean").iter_rows())
            for name in further
        },
    )


def ablation_headlines(shown: Sequence[Shown]) -> dict[str, Headline]:
    """<experiment>.<arm> -> its difference to the control in MEASURE; spread: the standard error of it."""
    return {
        f"{one.name}.{row['arm']}": headline(row["difference"], row["difference_error"])
        for one in shown
        for row in one.rows[1:]
    }
