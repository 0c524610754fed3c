"""Whether two formulas have the same value.

A formula is compared by its value, so that no answer has to be simplified: exactly where it is rational, at two
precisions where it is not, and at random points where it holds symbols.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from fractions import Fraction

from o1_assets.problems.answers.formula import Tree, decimals_of, symbols_of
from o1_assets.problems.answers.formula_value import DIGITS, Evaluation, approximate
from o1_assets.problems.answers.tokens import Unreadable

_POINTS = 8
"""Where both formulas have values, that many have to agree."""
_TRIES = 20
_STEP_TRIES = 160
_WHOLE_NAMES = frozenset("ijklmn")


def equal(gold: Tree, given: Tree) -> bool:
    """Whether two formulas have the same value, wherever both have one. False where neither has."""
    if gold == given:
        return True
    symbols = sorted(symbols_of(gold) | symbols_of(given))
    imaginary = _contains(gold, "i") or _contains(given, "i")
    if not symbols:
        return _equal_at(gold, given, {}, imaginary) is True
    agreed = 0
    steps = "step" in {*_counting(gold), *_counting(given)}
    for values in points(symbols, (gold, given)):
        verdict = _equal_at(gold, given, values, imaginary)
        if verdict is False:
            return False
        agreed += verdict is True
        if agreed == _POINTS and not steps:
            break
    # Where a formula has no value, as the root of a negative number, a point tells nothing.
    return agreed >= 3


def points(symbols: list[str], trees: tuple[Tree, Tree]) -> Iterator[dict[str, Fraction]]:
    """Random values for the symbols: positive ones first, then of any sign; whole ones where a formula counts."""
    # The values depend on both formulas, so that no answer can be built to agree with another at them.
    draw = random.Random(hashlib.sha256(repr(trees).encode("utf-8", "surrogatepass")).digest())
    counts = {kind for tree in trees for kind in _counting(tree)}
    # Two that jump may differ at few places only.
    for index in range(_TRIES if "step" not in counts else _STEP_TRIES):
        values = {}
        for position, name in enumerate(symbols):
            # A factorial has values at whole numbers only; a floor tells n from n - 1/2 at others only.
            jumps = "step" in counts and (name[:1] in _WHOLE_NAMES or index % 2 == 0)
            if "whole" in counts or jumps:
                largest = (
                    12
                    if index < 2
                    else 10 ** (index % 10)
                    if "step" in counts and index > _STEP_TRIES - 40
                    else 200
                )
                every = "step" in counts and len(symbols) == 1 and index < 100
                values[name] = Fraction(index + 1 if every else draw.randint(1, largest))
                continue
            # Of several sizes, since a formula may have values on a part of the line only.
            size = (
                draw.randrange(300_000, 3_000_000) * (1, 13, 1)[index % 3] * (40 if "step" in counts else 1)
            )
            # First all positive, then all negative, then one of them, then the others: |a + b| is not a + b.
            negative = index == 2 or (index == 3 and not position) or (index == 4 and position > 0)
            if index > 4:
                negative = draw.random() < 0.5
            if index >= 12:
                size *= (300, 300, 20_000, 20_000)[index % 4]
                negative = bool(index % 2)
            values[name] = Fraction(-size if negative else size, 1_000_003 * (1, 1, 5)[index % 3])
        yield values


def _counting(tree: Tree) -> Iterator[str]:
    """ "whole" for a part that has values at whole numbers, "step" for one that jumps."""
    if tree[0] in ("!", "binom") and symbols_of(tree):
        yield "whole"
    elif tree[0] == "^" and tree[1][0] == "-" and not symbols_of(tree[1]) and symbols_of(tree[2]):
        yield "whole"  # (-1)^n
    elif tree[0] in ("floor", "ceil"):
        yield "step"
    for part in tree[1:]:
        if isinstance(part, tuple):
            yield from _counting(part)


def _contains(tree: Tree, constant: str) -> bool:
    if tree[0] == "constant":
        return bool(tree[1] == constant)
    return any(_contains(part, constant) for part in tree[1:] if isinstance(part, tuple))


def _equal_at(gold: Tree, given: Tree, values: dict[str, Fraction], imaginary: bool) -> bool | None:
    """None where at least one has no value there."""
    differences = []
    for digits in DIGITS:
        evaluation = Evaluation(digits, values, imaginary)
        try:
            a, b = evaluation.of(gold), evaluation.of(given)
            if isinstance(a, Fraction) and isinstance(b, Fraction):
                return a == b
            a, b = evaluation.both(a, b)
        except Unreadable:
            return None
        size = max(abs(a), abs(b))
        differences.append(abs(a - b))
        if size > 1e-20 and differences[-1] > size * 1e-10:
            return False
    rough, fine = differences
    return bool(fine <= rough * 1e-30 if rough else fine <= size * 1e-80)


def nearly_equal(left: Tree, right: Tree) -> bool:
    """Whether one number approximates the other, to half a per cent or to half a unit of the last digit written.

    False where there are symbols.
    """
    try:
        a, b = approximate(left), approximate(right)
    except Unreadable:
        return False
    written = [decimals_of(tree) for tree in (left, right)]
    last_digit = max((0.5 * 10**-places for places, _ in filter(None, written)), default=0.0)
    return abs(a - b) <= max(0.005 * max(abs(a), abs(b)), min(last_digit, 0.05))


def within(a: Tree, b: Tree, absolute: Fraction | None = None, *, relative: Fraction | None = None) -> bool:
    """Whether two numbers differ by no more than `absolute`, or by `relative` of the first."""
    evaluation = Evaluation(DIGITS[0])
    try:
        first, second = evaluation.of(a), evaluation.of(b)
        allowed = absolute if absolute is not None else abs(first) * (relative or 0)
        return bool(
            evaluation.rounded(abs(evaluation.subtract(first, second))) <= evaluation.rounded(allowed)
        )
    except (Unreadable, TypeError):
        return False


def proportional(a: Tree, b: Tree, *, positive: bool = False) -> bool:
    """Whether one formula is the other times a number other than zero; a positive one, if that is asked for."""
    symbols = sorted(symbols_of(a) | symbols_of(b))
    if not symbols:
        return False
    ratios: list[Tree] = []
    for values in points(symbols, (a, b)):
        # The symbols become numbers, so that the ratios are compared as exactly as any numbers are.
        there = [_substituted(tree, values) for tree in (a, b)]
        try:
            below = Evaluation(DIGITS[0]).of(there[1])
            if not below:
                continue
            size = Evaluation(DIGITS[0]).of(("frac", *there))
        except Unreadable:
            continue
        if not size or (positive and not approximate(("frac", *there)) > 0):
            return False
        ratios.append(("frac", *there))
        if len(ratios) == _POINTS:
            break
    return len(ratios) >= 3 and all(equal(ratios[0], ratio) for ratio in ratios[1:])


def _substituted(tree: Tree, values: dict[str, Fraction]) -> Tree:
    if tree[0] == "symbol":
        return ("number", values[tree[1]], None)
    return tuple(_substituted(part, values) if isinstance(part, tuple) else part for part in tree)
