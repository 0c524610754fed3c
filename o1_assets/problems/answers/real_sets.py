"""Sets of real numbers: intervals, their unions, and what inequalities of one variable leave."""

from __future__ import annotations

import math

from o1_assets.problems.answers.formula import Tree, symbols_of
from o1_assets.problems.answers.formula_value import approximate, linear
from o1_assets.problems.answers.tokens import Unreadable
from o1_assets.problems.answers.values import (
    Brackets,
    Collection,
    Infinite,
    Interval,
    Named,
    Quantity,
    RealSet,
    Value,
)

FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne", "=": "="}


REALS = RealSet((Interval(Infinite(True), Infinite(), False, False),))


def as_set(value: Value) -> RealSet | None:
    """A value as a set of reals: an interval in brackets, or single numbers in braces."""
    match value:
        case RealSet():
            return value
        case Brackets("(" | "[" as opening, ")" | "]" as closing, (low, high)):
            if isinstance(low, Quantity | Infinite) and isinstance(high, Quantity | Infinite):
                return RealSet((Interval(low, high, opening == "[", closing == "]"),))
        case Collection(items):
            points = [item for item in items if isinstance(item, Quantity)]
            if len(points) == len(items):
                return RealSet(tuple(Interval(p, p, True, True) for p in points))
    return None


def solved(operator: str, difference: Tree) -> RealSet | None:
    """The values for which a formula with one symbol, in which it is linear, is below, at most or not zero."""
    symbols = symbols_of(difference)
    line = linear(difference, *symbols) if len(symbols) == 1 else None
    if line is None:
        return None
    slope, constant = line
    if slope < 0 and operator != "\\ne":
        operator = FLIPPED[operator]
    bound = Quantity(("number", -constant / slope, None))
    return RealSet(half_line(operator, bound), *symbols)


def between(operator: str, inner: Tree, bound: Tree) -> RealSet:
    """The values for which the absolute value of a line compares so with a number."""
    down = operator in ("<", "\\le")
    strict = "<" if operator in ("<", ">") else "\\le"
    # |a| < b where a - b < 0 and -a - b < 0; |a| > b where b - a < 0 or b + a < 0.
    parts = [
        solved(strict, difference if down else ("-", difference))
        for difference in (("+", inner, ("-", bound)), ("+", ("-", inner), ("-", bound)))
    ]
    if parts[0] is None or parts[1] is None:
        raise Unreadable("an absolute value of no line")
    if down:
        return intersection(parts[0], parts[1])
    return RealSet(parts[0].intervals + parts[1].intervals, parts[0].variable)


def outside(points: list[Quantity]) -> tuple[Interval, ...]:
    """All numbers but these."""
    remaining = REALS
    for point in points:
        remaining = intersection(remaining, complement(Interval(point, point, True, True)))
    return remaining.intervals


def half_line(operator: str, bound: Quantity | Infinite) -> tuple[Interval, ...]:
    low, high = Infinite(True), Infinite()
    match operator:
        case "<" | "\\le":
            return (Interval(low, bound, False, operator == "\\le"),)
        case ">" | "\\ge":
            return (Interval(bound, high, operator == "\\ge", False),)
        case "\\ne":
            return (Interval(low, bound, False, False), Interval(bound, high, False, False))
    raise Unreadable("no inequality")


def complement(interval: Interval) -> RealSet:
    sides = (
        Interval(Infinite(True), interval.low, False, not interval.low_closed),
        Interval(interval.high, Infinite(), not interval.high_closed, False),
    )
    empty = (interval.low == Infinite(True), interval.high == Infinite())
    return RealSet(tuple(side for side, none in zip(sides, empty, strict=True) if not none))


def combined(items: list[Value], separators: list[str]) -> RealSet | None:
    """Several conditions on one variable as the set where all of them hold, or one does; None for anything else."""
    sets = [_condition(item) for item in items]
    known = [a_set for a_set in sets if a_set is not None]
    variables = {a_set.variable for a_set in known}
    if len(known) < len(items) or len(variables) > 1:
        return None
    [variable] = variables
    # (1, 2) or (3, 4) may be two points; with a square bracket or an infinite end they are intervals.
    ends = [end for a_set in known for i in a_set.intervals for end in (i.low, i.high)]
    intervals = any(isinstance(item, Brackets) for item in items)
    if not variable and not (intervals and "or" in separators and any(isinstance(e, Infinite) for e in ends)):
        return None
    if variable and all(isinstance(item, Named) for item in items):
        return None  # x = 1 or x = 2
    union = RealSet(tuple(i for a_set in known for i in a_set.intervals), variable)
    if "or" in separators:
        return union
    both = known[0]
    for following in known[1:]:
        both = intersection(both, following)
    # "x < 1, x > 3" leaves it to the reader which is meant.
    return both if both.intervals or "and" in separators else union


def _condition(item: Value) -> RealSet | None:
    """An inequality, x = 1 or x \\in (1, 2) as a set."""
    match item:
        case RealSet() | Brackets():
            return as_set(item)
        case Named(name, (RealSet() | Brackets()) as value) if (a_set := as_set(value)) is not None:
            return RealSet(a_set.intervals, name)
        case Named(name, Quantity() as point):
            return RealSet((Interval(point, point, True, True),), name)
    return None


def intersection(a: RealSet, b: RealSet) -> RealSet:
    parts = []
    for first in a.intervals:
        for second in b.intervals:
            _, above = sorted((first, second), key=lambda i: (place(i.low), not i.low_closed))
            lower, _ = sorted((first, second), key=lambda i: (place(i.high), i.high_closed))
            both = Interval(above.low, lower.high, above.low_closed, lower.high_closed)
            low, high = place(both.low), place(both.high)
            if low < high or (low == high and both.low_closed and both.high_closed):
                parts.append(both)
    return RealSet(tuple(parts), a.variable)


def place(end: Quantity | Infinite) -> float:
    """Where the end of an interval lies. Raises Unreadable where it is no real number."""
    if isinstance(end, Infinite):
        return -math.inf if end.negative else math.inf
    return approximate(end.in_basic_units)
