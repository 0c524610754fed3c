"""Compares plain numbers exactly and fast, without any parser of mathematics."""

from __future__ import annotations

import re
from fractions import Fraction

_DECIMAL = r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?"


_NUMBER = re.compile(rf"(?P<decimal>{_DECIMAL})|(?P<ratio>[+-]?[0-9]+)\s*/\s*(?P<below>[0-9]+)")


_LONGEST = 100


def parse_number(text: str) -> Fraction | None:
    """An integer, decimal or ratio in ASCII digits, perhaps with a dollar sign or thousands commas; else None."""
    if len(text) > _LONGEST:
        return None
    match = _NUMBER.fullmatch(text.strip().replace("\\$", "").strip("$ ").replace("\u2212", "-"))
    if match is None:
        return None
    if match["below"] is not None:
        return Fraction(int(match["ratio"]), int(match["below"])) if int(match["below"]) else None
    digits = match["decimal"].replace(",", "")
    return Fraction(digits) if any(c.isdigit() for c in digits) else None


def same_number(gold: str, given: str) -> bool | None:
    """Whether two plain numbers are equal; None where that is not for this function to say.

    That is where either is no plain number, and where they differ but the gold answer is no integer: it may have
    been rounded.
    """
    a, b = parse_number(gold), parse_number(given)
    if a is None or b is None:
        return None
    if a == b:
        return True
    return False if a.denominator == 1 else None
