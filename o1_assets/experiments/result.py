"""What an experiment's result holds, whatever it compared: claims, tables and charts.

Written by each `ablations/<experiment>/result`; read by the report, by `o1 report --json` and by `o1 results`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from o1_assets.core.plots import Axis, Series, save_panels, save_png
from o1_assets.evaluation.headline import Headline

FILE = "result.json"


@dataclass(frozen=True)
class Claim:
    """A figure of which the literature, or this project's goals, say something.

    name: as headline ("prm_minus_orm@64"). says: the claim in a sentence, with who makes it. low, high: 95%.
    value: None where it could not be measured. target: what it has to reach, None for a figure that is only shown.
    unit: how it is written, points (a difference of shares) or share (percent) or number; else by its name (words.py).
    """

    name: str
    says: str
    value: float | None
    low: float | None = None
    high: float | None = None
    target: float | None = None
    better: Literal["higher", "lower"] = "higher"
    unit: Literal["", "points", "share", "number"] = ""


@dataclass(frozen=True)
class Table:
    """title: one sentence. frame: what people are to see, in that order, columns named for them."""

    title: str
    frame: pl.DataFrame


@dataclass(frozen=True)
class Chart:
    """As `core.plots` draws it: a PNG for Dagster's UI, an SVG in the report's colours."""

    series: Sequence[Series]
    axis: Axis


@dataclass(frozen=True)
class Result:
    """name: as in the key. notes: how it was measured and what limits it, a sentence or two each.

    panels: pictures of several charts side by side, name -> names of charts.
    """

    name: str
    title: str
    question: str
    claims: Sequence[Claim] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    charts: Mapping[str, Chart] = field(default_factory=dict)
    notes: Sequence[str] = ()
    panels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def with_notes(self, *more: str) -> Result:
        """These notes as well."""
        return replace(self, notes=[*self.notes, *more])


def write_result(folder: Path, result: Result) -> None:
    """result.json, tables/<name>.parquet and plots/<name>.png, of each chart and each picture of several."""
    (folder / "tables").mkdir(exist_ok=True)
    for name, table in result.tables.items():
        table.frame.write_parquet(folder / "tables" / f"{name}.parquet")
    for name, chart in result.charts.items():
        save_png(folder / "plots" / f"{name}.png", chart.series, chart.axis)
    for name, charts in result.panels.items():
        save_panels(
            folder / "plots" / f"{name}.png",
            [(result.charts[chart].series, result.charts[chart].axis) for chart in charts],
        )
    said = {
        "name": result.name,
        "title": result.title,
        "question": result.question,
        "claims": [asdict(claim) for claim in result.claims],
        "tables": {name: table.title for name, table in result.tables.items()},
        "charts": {name: asdict(chart) for name, chart in result.charts.items()},
        "notes": list(result.notes),
        "panels": {name: list(charts) for name, charts in result.panels.items()},
    }
    (folder / FILE).write_text(json.dumps(said, indent=1, default=_plain) + "\n")


def read_result(folder: Path) -> Result:
    """From the folder of `ablations/<experiment>/result`."""
    said = json.loads((folder / FILE).read_text())
    tables = {
        name: Table(title, pl.read_parquet(folder / "tables" / f"{name}.parquet"))
        for name, title in said["tables"].items()
    }
    charts = {
        name: Chart([Series(**series) for series in chart["series"]], Axis(**chart["axis"]))
        for name, chart in said["charts"].items()
    }
    claims = [Claim(**claim) for claim in said["claims"]]
    notes, panels = said["notes"], said.get("panels", {})
    return Result(said["name"], said["title"], said["question"], claims, tables, charts, notes, panels)


def is_result(folder: Path) -> bool:
    """Whether `write_result` wrote it; an earlier version of an experiment may have had a form of its own."""
    return "claims" in json.loads((folder / FILE).read_text())


def headlines(results: Sequence[Result]) -> dict[str, Headline]:
    """Each claim by its name, in the report's shape; spread: half of the 95% interval, divided by 1.96."""
    return {
        claim.name: Headline(
            value=claim.value,
            spread=None if claim.low is None or claim.high is None else (claim.high - claim.low) / 2 / 1.96,
            target=claim.target,
            better=claim.better,
        )
        for result in results
        for claim in result.claims
    }


def _plain(value: object) -> list[float]:
    """Sequences that JSON does not know: ranges and NumPy's arrays."""
    if isinstance(value, range | np.ndarray):
        return [float(x) for x in value]
    raise TypeError(f"a {type(value).__name__} cannot be part of an experiment's result")
