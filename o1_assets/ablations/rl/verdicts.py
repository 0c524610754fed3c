"""Sentences about differences, read off their intervals."""

from __future__ import annotations

from o1_assets.ablations.intervals import Interval


def points(found: Interval) -> str:
    """+4.1 points (95%: +1.0 to +7.3)."""
    return f"{100 * found.mean:+.1f} points (95%: {100 * found.low:+.1f} to {100 * found.high:+.1f})"


def sign(found: Interval) -> int:
    """1 or -1 where the whole interval lies above or below 0, else 0."""
    return int(found.low > 0) - int(found.high < 0)


def compared(what: str, found: Interval) -> str:
    """What was compared, by how much it differs, and whether that is more than noise."""
    said = {1: "better", -1: "worse", 0: "no difference beyond noise"}[sign(found)]
    return f"{what}: {said}, {points(found)}."
