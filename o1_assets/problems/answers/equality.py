"""Whether two final answers mean the same. One is the gold answer: a solver may leave out its unit, not change it."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from o1_assets.problems.answers.formula import Tree, decimals_of, last_digit, symbols_of
from o1_assets.problems.answers.formula_equality import equal, proportional, within
from o1_assets.problems.answers.formula_value import terminates
from o1_assets.problems.answers.read import read_answer
from o1_assets.problems.answers.real_sets import as_set, place
from o1_assets.problems.answers.tokens import Unreadable
from o1_assets.problems.answers.values import (
    EXPRESSION,
    Based,
    Brackets,
    Collection,
    Infinite,
    Interval,
    Matrix,
    Named,
    Quantity,
    Ratio,
    RealSet,
    Relation,
    Text,
    Value,
)


@lru_cache(maxsize=65_536)
def same_answer(gold: str, given: str) -> bool:
    """Whether any reading of one is a reading of the other. False where one cannot be read at all."""
    if gold.strip() == given.strip():
        return True
    readings = read_answer(given)
    return any(same(wanted, value) for wanted in read_answer(gold) for value in readings)


def same(gold: Value, given: Value) -> bool:
    """Whether two values mean the same."""
    try:
        return gold == given or _same(gold, given)
    except (Unreadable, RecursionError):
        return False


def _same(gold: Value, given: Value) -> bool:
    match gold, given:
        case Text(a), Text(b):
            return a == b
        case (Text(key), Quantity(("symbol", name), None, False)) | (
            Quantity(("symbol", name), None, False),
            Text(key),
        ):
            return bool(key == name)  # the choice C
        case (Text(key), Named(name)) | (Named(name), Text(key)):
            return name == f"({key})"  # the choice (C) 12
        case (Quantity(("symbol", key), None, False), Named(name)) | (
            Named(name),
            Quantity(("symbol", key), None, False),
        ) if name[0] == "(":
            return bool(name == f"({key})")
        case Named(), _:
            return _same_named(gold, given)
        case Quantity() | Infinite() | Matrix() | RealSet() | Brackets() | Collection(), Named(name, value):
            letters = name.strip("()").replace("\\", "").split(",")
            if letters != sorted(letters):
                return False  # (y, x) = (1, 2) is the point (2, 1)
            return _same(gold, value) or (isinstance(gold, Collection) and _same_items(gold.items, (given,)))
        case Quantity(), Quantity():
            return _same_quantity(gold, given)
        case Relation(), Relation():
            return _same_relation(gold, given)
        case Relation("="), Named(_, _, relation) if relation is not None:
            return _same_relation(gold, Relation("=", relation))
        case Collection(a), Collection(b):
            if _is_system(a) != _is_system(b) and not all(
                any(isinstance(i, Named) for i in items) for items in (a, b)
            ):
                # x = 1, y = 2 without its names is 1, 2 as it is written, and no set.
                return not (gold.is_set or given.is_set) and _same_order(_bare(a), _bare(b))
            return _same_items(a, b)
        case Brackets(), Collection(items) if all(isinstance(i, Named) for i in items):
            return _same_system(gold, items)
        case Collection(items), Brackets() if all(isinstance(i, Named) for i in items):
            return _same_system(given, items)
        case (Collection((single,)), _) if not isinstance(given, Brackets | RealSet | Collection):
            return _same(single, given)
        case (_, Collection((single,))) if not isinstance(gold, Brackets | RealSet):
            return not isinstance(single, Collection) and _same(gold, single)
        case Brackets(), Brackets():
            shapes = (gold.opening, gold.closing), (given.opening, given.closing)
            return shapes[0] == shapes[1] and _same_order(gold.items, given.items)
        case Matrix(rows), Matrix(others):
            return len(rows) == len(others) and all(map(_same_order, rows, others))
        case Matrix(), Brackets("(", ")", items):
            return _same_order(_vector(gold), items)
        case Brackets("(", ")", items), Matrix():
            return _same_order(items, _vector(given))
        case Ratio(a), Ratio(b):
            return _same_order(a, b)
        case Based(), Based():
            return gold == given
        case Based(digits, base), Quantity(("number", value, None), None, False):
            # The digits alone are another number, unless there is only one of them.
            return len(digits) == 1 and value == int(digits, 16) < int(base)
        case Infinite(a), Infinite(b):
            return a == b
    sets = as_set(gold), as_set(given)
    if RealSet in (type(gold), type(given)) and sets[0] is not None and sets[1] is not None:
        return _same_set(sets[0], sets[1])
    return False


def _same_order(a: tuple[Value, ...], b: tuple[Value, ...]) -> bool:
    return len(a) == len(b) and all(map(_same, a, b))


def _vector(matrix: Matrix) -> tuple[Value, ...]:
    """The entries of a single row or column; none of any other matrix."""
    if len(matrix.rows) == 1:
        return matrix.rows[0]
    return tuple(row[0] for row in matrix.rows) if len(matrix.rows[0]) == 1 else ()


def _same_items(gold: tuple[Value, ...], given: tuple[Value, ...]) -> bool:
    """Whether the items are the same in some order."""
    gold, given = _without_common_name(gold, given)
    if len(gold) != len(given):
        return False
    rest = list(given)
    for item in gold:
        match = next((index for index, other in enumerate(rest) if _same_item(item, other)), None)
        if match is None:
            return False
        del rest[match]
    return True


def _same_item(gold: Value, given: Value) -> bool:
    """A set in a set is no number, though {5} alone answers what 5 does."""
    return isinstance(gold, Collection) == isinstance(given, Collection) and same(gold, given)


def _bare(items: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(item.value if isinstance(item, Named) else item for item in items)


def _is_system(items: tuple[Value, ...]) -> bool:
    return len({item.name.partition("_")[0] for item in items if isinstance(item, Named)}) > 1


def _without_common_name(
    gold: tuple[Value, ...], given: tuple[Value, ...]
) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """In "x = 1, x = 2" or "x = 1, 2" the symbol is no part of what the numbers are."""

    def bare(items: tuple[Value, ...]) -> tuple[Value, ...] | None:
        names = {item.name.partition("_")[0] for item in items if isinstance(item, Named)}
        if len(names) != 1:
            return None
        return tuple(item.value if isinstance(item, Named) else item for item in items)

    # So it is in x_1 = 1, x_2 = 2, the two roots of an equation.
    names = [
        {item.name.partition("_")[0] for item in items if isinstance(item, Named)} for items in (gold, given)
    ]
    if all(isinstance(item, Named) for item in (*gold, *given)) or (all(names) and names[0] != names[1]):
        return gold, given
    return bare(gold) or gold, bare(given) or given


def _same_system(pair: Brackets, named: tuple[Value, ...]) -> bool:
    """Whether a tuple is what x = 1, y = 2 says: in the order of the alphabet."""
    ordered = sorted(
        (item for item in named if isinstance(item, Named)), key=lambda item: item.name.lstrip("\\")
    )
    distinct = len({item.name for item in ordered}) == len(ordered)
    round_brackets = (pair.opening, pair.closing) == ("(", ")")
    return distinct and round_brackets and _same_order(pair.items, tuple(item.value for item in ordered))


def _same_named(gold: Named, given: Value) -> bool:
    match given:
        case Named():
            if gold.name == given.name != EXPRESSION and _same(gold.value, given.value):
                return True
            if gold.relation is not None and given.relation is not None:
                return _same_relation(Relation("=", gold.relation), Relation("=", given.relation))
            return False
        case Relation("=", _) if gold.relation is not None:
            return _same_relation(Relation("=", gold.relation), given)
    return gold.name != EXPRESSION and _same(gold.value, given)


def _same_relation(gold: Relation, given: Relation) -> bool:
    """Whether one is the other, multiplied by a number that is not zero; in an inequality, not negative either."""
    return gold.operator == given.operator and proportional(
        gold.tree, given.tree, positive=gold.operator in ("<", "\\le")
    )


def _same_set(gold: RealSet, given: RealSet) -> bool:
    if gold.variable and given.variable and gold.variable != given.variable:
        return False
    first, second = _ordered(gold), _ordered(given)
    return len(first) == len(second) and all(map(_same_interval, first, second))


def _same_interval(a: Interval, b: Interval) -> bool:
    closed = (a.low_closed, a.high_closed) == (b.low_closed, b.high_closed)
    return closed and _same(a.low, b.low) and _same(a.high, b.high)


def _ordered(a_set: RealSet) -> list[Interval]:
    """The intervals from left to right, those that touch made one; as they are where an end is no number."""
    try:
        ordered = sorted(a_set.intervals, key=lambda i: (place(i.low), not i.low_closed))
        merged = ordered[:1]
        for interval in ordered[1:]:
            last = merged[-1]
            gap = place(interval.low) - place(last.high)
            if gap > 0 or (gap == 0 and not (interval.low_closed or last.high_closed)):
                merged.append(interval)
            elif (place(interval.high), interval.high_closed) > (place(last.high), last.high_closed):
                merged[-1] = Interval(last.low, interval.high, last.low_closed, interval.high_closed)
        return merged
    except Unreadable:
        return list(a_set.intervals)


# Quantities.


def _same_quantity(gold: Quantity, given: Quantity) -> bool:
    if (gold.guessed and given.unit is None) or (given.attached and gold.unit is None):
        return False
    if given.percent and not gold.percent:
        # 50% is .5, and never 50.
        return gold.unit is None and same_number(gold.tree, given.in_basic_units)
    if gold.percent:
        if given.unit is not None:
            return False
        if given.percent:
            return same_number(gold.tree, given.tree)
        # "What per cent?" is answered by 36 as well as by .36.
        return same_number(gold.tree, given.tree) or same_number(gold.in_basic_units, given.tree)
    if gold.unit is not None and given.unit is not None:
        if gold.unit == given.unit:
            return same_number(gold.tree, given.tree)
        return gold.unit.powers == given.unit.powers and equal(gold.in_basic_units, given.in_basic_units)
    return same_number(gold.tree, given.tree)


FLOAT_DIGITS = 15
"""From so many significant digits on, a decimal is what a program printed, and its last digits are noise."""
ROUNDED_DIGITS = 3
"""A gold decimal of so many may be rounded: 0.333 for 1/3."""
PRECISE_DIGITS = 6
"""A given decimal has to have so many, and as many after the point, to stand for a number that has no end."""


def same_number(gold: Tree, given: Tree) -> bool:
    """Whether two formulas have the same value, or one is a decimal that the other is rounded to.

    A rounded answer is accepted only for a gold answer that cannot be written as a decimal, and only to six digits
    after the point; a gold decimal of three digits or more may be what an exact answer was rounded to.
    """
    if equal(gold, given):
        return True
    if symbols_of(gold) or symbols_of(given):
        return False
    wanted, written = decimals_of(gold), decimals_of(given)
    if wanted is not None:
        places, significant = wanted
        if FLOAT_DIGITS <= significant <= 17:
            return within(gold, given, relative=Fraction(1, 10**FLOAT_DIGITS))
        if significant < ROUNDED_DIGITS or not last_digit(gold):  # 12.0 is how a program writes 12
            return False
        exact_form = written is None and not terminates(given)
        return exact_form and within(gold, given, Fraction(1, 2 * 10**places))
    if written is not None and min(written) >= PRECISE_DIGITS and not terminates(gold):
        return within(gold, given, Fraction(1, 2 * 10 ** written[0]))
    return False
