"""How the figures of an experiment are written for a person, on the report's page and in docs/results.md alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from o1_assets.core.formatting import count, number
from o1_assets.evaluation.headline import met
from o1_assets.experiments.result import Claim

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
    return met({"value": claim.value, "spread": None, "target": claim.target, "better": claim.better})


def verdict(claim: Claim) -> str:
    """met, missed, not measured, or a dash for a figure that is only shown."""
    if claim.target is None:
        return NONE
    found = claim_met(claim)
    return "not measured" if found is None else "met" if found else "missed"


def cells(frame: pl.DataFrame) -> tuple[list[bool], list[list[str]]]:
    """Of each column whether it holds numbers, and every row as text."""
    columns = [column(frame[name]) for name in frame.columns]
    return [one.dtype.is_numeric() for one in frame], [list(row) for row in zip(*columns, strict=True)]


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
            return ", ".join(say(one) for one in value)
        return str(value)

    return [say(value) for value in values.to_list()]
