"""What an experiment's result holds, whatever it compared: claims, tables and charts.

Written by each `ablations/<experiment>/result`; read by the report, by `o1 report --json` and by `o1 results`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from o1_assets.core.formatting import count, number
from o1_assets.core.plots import Axis, Series, save_panels, save_png
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.headline import Headline, met

FILE = "result.json"


@dataclass(frozen=True)
class Claim:
    """A figure of which the literature, or this project's goals, say something.

    name: as headline ("prm_minus_orm@64"). says: the claim in a sentence, with who makes it. low, high: 95%.
    value: None where it could not be measured. target: what it has to reach, None for a figure that is only shown.
    unit: how it is written, points (a difference of shares) or share (percent) or number; "" leaves that to its name.
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
    content = {
        "name": result.name,
        "title": result.title,
        "question": result.question,
        "claims": [asdict(claim) for claim in result.claims],
        "tables": {name: table.title for name, table in result.tables.items()},
        "charts": {name: asdict(chart) for name, chart in result.charts.items()},
        "notes": list(result.notes),
        "panels": {name: list(charts) for name, charts in result.panels.items()},
    }
    (folder / FILE).write_text(json.dumps(content, indent=1, default=_plain) + "\n")


def read_result(folder: Path) -> Result:
    """From the folder of `ablations/<experiment>/result`."""
    content = json.loads((folder / FILE).read_text())
    tables = {
        name: Table(title, read_parquet(folder / "tables" / f"{name}.parquet"))
        for name, title in content["tables"].items()
    }
    charts = {
        name: Chart([Series(**series) for series in chart["series"]], Axis(**chart["axis"]))
        for name, chart in content["charts"].items()
    }
    claims = [Claim(**claim) for claim in content["claims"]]
    notes, panels = content["notes"], content.get("panels", {})
    return Result(
        content["name"], content["title"], content["question"], claims, tables, charts, notes, panels
    )


def is_result(folder: Path) -> bool:
    """Whether `write_result` wrote it; an earlier version of an experiment may have had a form of its own."""
    return "claims" in json.loads((folder / FILE).read_text())


# Half of a normal 95% interval, in standard errors.
NORMAL = 1.96


def headlines(results: Sequence[Result]) -> dict[str, Headline]:
    """Each claim by its name, in the report's shape; error: that of a normal distribution with this 95% interval."""
    return {
        claim.name: Headline(
            value=claim.value,
            error=None if claim.low is None or claim.high is None else (claim.high - claim.low) / 2 / NORMAL,
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


# How figures are written for a person, on the report's page and in docs/results.md alike.

NONE = "–"
POINTS = re.compile(r"_minus_|\.|_gain|_points")
PLAIN = re.compile(r"_ratio|_r2|r2$|slope|_times")


def unit_of(claim: Claim) -> str:
    """As the claim says; else by its name: differences are in points, ratios and R² bare, what else lies within -1 and
    1 is a share in percent."""
    if claim.unit:
        return claim.unit
    if PLAIN.search(claim.name):
        return "number"
    if POINTS.search(claim.name):
        return "points"
    known = [abs(v) for v in (claim.value, claim.target) if v is not None]
    return "share" if known and max(known) <= 1 else "number"


def claim_value(claim: Claim, value: float | None) -> str:
    """One of the claim's values in its unit: +5.8 points, 72.4%, 2.61. Not measured without a value."""
    if value is None:
        return "not measured"
    unit = unit_of(claim)
    if unit == "points":
        return f"{100 * value:+.1f} points"
    if unit == "share":
        return f"{100 * value:.1f}%"
    known = [abs(v) for v in (claim.value, claim.low, claim.high, claim.target) if v is not None]
    return number(value) if max(known) >= 100 else f"{value:.{2 if max(known) >= 1.5 else 3}f}"


def claim_interval(claim: Claim) -> str:
    """Its 95% interval; a dash where it has none."""
    if claim.low is None or claim.high is None:
        return NONE
    low, high = claim_value(claim, claim.low), claim_value(claim, claim.high)
    shared = {"points": " points", "share": "%"}.get(unit_of(claim), "")
    return f"{low.removesuffix(shared)} to {high}"


def claim_target(claim: Claim) -> str:
    if claim.target is None:
        return NONE
    bound = "at least" if claim.better == "higher" else "at most"
    return f"{bound} {claim_value(claim, claim.target).removeprefix('+')}"


def claim_met(claim: Claim) -> bool | None:
    """None where there is nothing to meet, or nothing was measured."""
    return met({"value": claim.value, "error": None, "target": claim.target, "better": claim.better})


def verdict(claim: Claim) -> str:
    """met, missed, not measured, or a dash for a figure that is only shown."""
    if claim.target is None:
        return NONE
    is_met = claim_met(claim)
    return "not measured" if is_met is None else "met" if is_met else "missed"


def cells(frame: pl.DataFrame) -> tuple[list[bool], list[list[str]]]:
    """Of each column whether it holds numbers, and every row as text."""
    columns = [column(frame[name]) for name in frame.columns]
    return [series.dtype.is_numeric() for series in frame], [list(row) for row in zip(*columns, strict=True)]


def column(values: pl.Series) -> Sequence[str]:
    """Numbers of a column with equal digits after the point, unless they differ by orders of magnitude."""
    known = [abs(v) for v in values.drop_nulls().to_list()] if values.dtype.is_float() else []
    finite = [v for v in known if v == v and v]
    even = bool(finite) and min(finite) >= 0.001 and max(finite) < 100
    digits = 3 if finite and max(finite) < 1.5 else 2

    def say(value: object) -> str:
        if value is None or value != value:
            return NONE
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.{digits}f}" if even else number(value)
        if isinstance(value, int):
            return count(value) if abs(value) >= 100_000 else str(value)
        if isinstance(value, list | pl.Series):
            return ", ".join(say(item) for item in value)
        return str(value)

    return [say(value) for value in values.to_list()]
