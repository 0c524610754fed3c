"""What an answer may mean: the values that `read.py` makes and `equality.py` compares."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from o1_assets.problems.answers.formula import Tree
from o1_assets.problems.answers.units import Unit

EXPRESSION = "="
"""The name of what is said to have a value but is no single symbol: x + y = 5."""

MOST_ITEMS = 100
"""Of a list or a matrix; comparing two lists takes the square of it."""


@dataclass(frozen=True)
class Quantity:
    """A formula with its unit. percent: whether a per-cent sign stands behind it.

    guessed: whether the unit may be something else: "6 m" six times m. In a gold answer it may not be left out then.
    attached: whether the unit counts beside another unit only, as in "6m" and "5 quarters", which is 5/4 elsewhere.
    """

    tree: Tree
    unit: Unit | None = None
    percent: bool = False
    guessed: bool = False
    attached: bool = False

    @property
    def in_basic_units(self) -> Tree:
        size = Fraction(1, 100) if self.percent else self.unit.size if self.unit else Fraction(1)
        return self.tree if size == 1 else ("*", self.tree, ("number", size, None))


@dataclass(frozen=True)
class Infinite:
    negative: bool = False


@dataclass(frozen=True)
class Brackets:
    """A tuple, a vector or an interval: what a pair of brackets with commas means is known from the other answer."""

    opening: str
    closing: str
    items: tuple[Value, ...]


@dataclass(frozen=True)
class Collection:
    """A list or a set. Its order does not count, but where the other answer has names for the items of a list."""

    items: tuple[Value, ...]
    is_set: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Interval:
    low: Quantity | Infinite
    high: Quantity | Infinite
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True)
class RealSet:
    """A union of intervals. variable: the symbol for which an inequality was written, "" for none."""

    intervals: tuple[Interval, ...]
    variable: str = ""


@dataclass(frozen=True)
class Matrix:
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class Named:
    """A value with the symbol that it belongs to, as in x = 5. relation: left minus right, if both are formulas."""

    name: str
    value: Value
    relation: Tree | None = None


@dataclass(frozen=True)
class Relation:
    r"""left - right, and what it is to 0. operator: "=", "<", "\le" or "\ne"."""

    operator: str
    tree: Tree


@dataclass(frozen=True)
class Based:
    """Digits in a number system."""

    digits: str
    base: str


@dataclass(frozen=True)
class Ratio:
    """1:2:3, or a time of the day."""

    parts: tuple[Value, ...]


@dataclass(frozen=True)
class Text:
    key: str


Value = (
    Quantity | Infinite | Brackets | Collection | RealSet | Matrix | Named | Relation | Based | Ratio | Text
)
