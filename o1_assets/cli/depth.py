"""How many generations of an ancestry are meant."""

from __future__ import annotations


class BadDepth(ValueError):
    """Neither a whole number from 1 nor `all`."""


def parse_depth(text: str) -> int | None:
    """`all` is None. Raises BadDepth."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise BadDepth(f"--depth {text!r} is no depth; give 1, 2, ... or all")
    return int(text)
