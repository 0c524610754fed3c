"""Short functions of two whole numbers: what a program is, what it computes, and which functions are asked for.

A program is the body of `def f(a, b)` with semicolons for its ends of lines: `c=a*2;return c+b`. The corpus is written
and steps are rated by this module; an answer is run in the sandbox (`world.py`), whatever it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

INPUTS = tuple((a, b) for a in range(1, 7) for b in range(1, 7))
"""All arguments: none is 0, so that every b divides."""

LARGEST = 45
"""No value leaves -45..45, the numbers that the tokenizer knows: 6*6+9 is the largest of the family."""

Case = tuple[int, int, int]
"""a, b, and what f(a, b) is."""

Atom = str | int
Values = tuple[int, ...]

_NUMBER = r"-?[1-9]?[0-9]"
_ATOM = rf"(?:[abc]|{_NUMBER})"
_INFIX = re.compile(rf"({_ATOM})(\+|-|\*|//|%)({_ATOM})")
_CALL = re.compile(rf"(min|max)\(({_ATOM}),({_ATOM})\)")
_BRANCH = rf"if ({_ATOM})(<|>|==)({_ATOM}):return ([^;]+);"
_PROGRAM = re.compile(r"(?:c=([^;]+);)?((?:if [^;]+;){0,2})return ([^;]+)")


@dataclass(frozen=True)
class Expression:
    """x op y; or x alone, with an empty op."""

    x: Atom
    op: str = ""
    y: Atom = ""

    @classmethod
    def parse(cls, text: str) -> Expression | None:
        if re.fullmatch(_ATOM, text):
            return cls(_atom(text))
        if match := _INFIX.fullmatch(text):
            return cls(_atom(match[1]), match[2], _atom(match[3]))
        if match := _CALL.fullmatch(text):
            return cls(_atom(match[2]), match[1], _atom(match[3]))
        return None

    @property
    def atoms(self) -> tuple[Atom, ...]:
        return (self.x, self.y) if self.op else (self.x,)

    def value(self, names: dict[str, int]) -> int | None:
        """None where it divides by zero."""
        x = _value(self.x, names)
        return apply(x, self.op, _value(self.y, names)) if self.op else x

    def __str__(self) -> str:
        if not self.op:
            return str(self.x)
        return f"{self.op}({self.x},{self.y})" if self.op in ("min", "max") else f"{self.x}{self.op}{self.y}"


def apply(x: int, op: str, y: int) -> int | None:
    """x op y as Python has it; None where it divides by zero."""
    match op:
        case "+":
            return x + y
        case "-":
            return x - y
        case "*":
            return x * y
        case "min":
            return min(x, y)
        case "max":
            return max(x, y)
        case "//":
            return x // y if y else None
        case "%":
            return x % y if y else None
    raise ValueError(f"there is no operator {op!r}")


def compare(x: int, test: str, y: int) -> bool:
    return x < y if test == "<" else x > y if test == ">" else x == y


class Branch(NamedTuple):
    """`if x test y: return then`."""

    x: Atom
    test: str
    y: Atom
    then: Expression

    def __str__(self) -> str:
        return f"if {self.x}{self.test}{self.y}:return {self.then};"


@dataclass(frozen=True)
class Program:
    """first: what c is. branches: tried in their order. result: returned where none of them holds."""

    result: Expression
    first: Expression | None = None
    branches: tuple[Branch, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Program | None:
        """None for anything that is not such a program, or uses c before it has a value."""
        match = _PROGRAM.fullmatch(text)
        if match is None:
            return None
        result = Expression.parse(match[3])
        first = Expression.parse(match[1]) if match[1] else None
        branches = []
        for x, test, y, then in re.findall(_BRANCH, match[2]):
            returned = Expression.parse(then)
            if returned is None:
                return None
            branches.append(Branch(_atom(x), test, _atom(y), returned))
        if result is None:
            return None
        program = cls(result, first, tuple(branches))
        return program if program.c_is_defined and str(program) == text else None

    @property
    def c_is_defined(self) -> bool:
        """Whether c has a value wherever it is used."""
        used = {atom for branch in self.branches for atom in (branch.x, branch.y, *branch.then.atoms)}
        if self.first is None:
            return "c" not in used | set(self.result.atoms)
        return "c" not in self.first.atoms

    def trace(self, a: int, b: int) -> Values | None:
        """The values that one call makes in their order, the returned one last; None where it divides by zero or a
        value cannot be written."""
        names = {"a": a, "b": b}
        values = []
        if self.first is not None:
            c = self.first.value(names)
            if c is None or abs(c) > LARGEST:
                return None
            names["c"] = c
            values.append(c)
        returned = self.result
        for x, test, y, then in self.branches:
            if compare(_value(x, names), test, _value(y, names)):
                returned = then
                break
        value = returned.value(names)
        if value is None or abs(value) > LARGEST:
            return None
        return (*values, value)

    def call(self, a: int, b: int) -> int | None:
        values = self.trace(a, b)
        return values[-1] if values else None

    def __str__(self) -> str:
        first = f"c={self.first};" if self.first else ""
        return f"{first}{''.join(map(str, self.branches))}return {self.result}"


def python_source(text: str) -> str:
    """A program as it is answered, in Python. Any text gives some source: the sandbox says what it is worth."""
    return "def f(a, b):\n" + "".join(f"    {line}\n" for line in text.split(";"))


def _value(atom: Atom, names: dict[str, int]) -> int:
    return names[atom] if isinstance(atom, str) else atom


def _atom(text: str) -> Atom:
    return text if text in "abc" else int(text)


@lru_cache(maxsize=1 << 16)
def table(program: Program) -> Values | None:
    """Its value for each of INPUTS; None where one cannot be computed or written."""
    values = tuple(value for a, b in INPUTS if (value := program.call(a, b)) is not None)
    return values if len(values) == len(INPUTS) else None


# The family that problems are drawn from: each function once, by its simplest program.

FIRST_LINES = tuple(
    Expression(x, op, y)
    for x, op, y in (
        ("a", "+", "b"), ("a", "-", "b"), ("b", "-", "a"), ("a", "*", "b"), ("a", "//", "b"),
        ("a", "max", "b"), ("a", "min", "b"),
    )
)  # fmt: skip
"""What c may be."""

FAREST = 9
"""The largest number that is added to c."""

_ADDED: tuple[Atom, ...] = ("a", "b", *range(1, FAREST + 1))

SECOND_LINES = (Expression("c"), *(Expression("c", op, y) for op in "+-" for y in _ADDED))
"""What is returned: c, or c with a letter or a number added or taken away."""


def in_order(seconds: Iterable[Expression]) -> list[Expression]:
    """The simplest first: a letter before a number."""
    return sorted(seconds, key=SECOND_LINES.index)


def two_lines(first: Expression, second: Expression) -> Program:
    """The program of these lines; of one line where c itself is returned."""
    return Program(second, first) if second.op else Program(first)


def _programs() -> Iterator[tuple[int, Program]]:
    """Kind (1: one line, 2: two lines) and program, the simplest first."""
    for kind, seconds in ((1, SECOND_LINES[:1]), (2, SECOND_LINES[1:])):
        for second, first in product(seconds, FIRST_LINES):
            yield kind, two_lines(first, second)


def remainder_fits(case: Case, remainder: int) -> frozenset[Expression]:
    """The second lines that this case allows. remainder: what is missing to its value after the first line."""
    a, b, _ = case
    if remainder == 0:
        return frozenset(SECOND_LINES[:1])
    names = {"a": a, "b": b}
    op = "+" if remainder > 0 else "-"
    return frozenset(
        second for second in SECOND_LINES[1:] if second.op == op and _value(second.y, names) == abs(remainder)
    )


@lru_cache(maxsize=1)
def family() -> dict[Values, tuple[int, Program]]:
    """All functions by their values on INPUTS, with the kind and the simplest program of each."""
    functions: dict[Values, tuple[int, Program]] = {}
    for kind, program in _programs():
        values = table(program)
        if values is not None and len(set(values)) > 2 and values not in functions:
            functions[values] = kind, program
    return functions


@dataclass(frozen=True)
class Specification:
    """What is asked: the function with these values. hidden: cases that it is graded by and nobody is shown."""

    shown: tuple[Case, ...]
    hidden: tuple[Case, ...] = ()

    def fits(self, program: Program) -> bool:
        """Whether the program has the values that are shown."""
        return all(program.call(a, b) == value for a, b, value in self.shown)

    @property
    def reference(self) -> Program | None:
        """The simplest function of the family that has them; None if none has."""
        fitting = _fitting(self.shown)
        return _functions()[0][int(fitting[0])] if len(fitting) else None

    def graded(self) -> Specification:
        """With its hidden cases, which follow from what is shown: those of the simplest function."""
        reference = self.reference
        if reference is None:
            return self
        rng = Random(str(self.shown))
        others = [pair for pair in INPUTS if pair not in {(a, b) for a, b, _ in self.shown}]
        chosen = rng.sample(others, HIDDEN)
        # A function of the family has a value everywhere.
        hidden = [(a, b, value) for a, b in chosen if (value := reference.call(a, b)) is not None]
        return Specification(self.shown, tuple(hidden))


HIDDEN = 12
"""Hidden cases of a problem."""


@lru_cache(maxsize=1)
def _functions() -> tuple[list[Program], np.ndarray, np.ndarray]:
    """Programs of the family, the simplest first; their kinds; their values (functions, inputs)."""
    import numpy as np

    kinds = np.array([kind for kind, _ in family().values()])
    order = np.argsort(kinds, kind="stable")
    programs = [program for _, program in family().values()]
    return [programs[i] for i in order], kinds[order], np.array(list(family()), dtype=np.int16)[order]


def _fitting(shown: Sequence[Case]) -> np.ndarray:
    """Indices of the functions of the family that have these values, the simplest first."""
    import numpy as np

    _, _, values = _functions()
    columns = [INPUTS.index((a, b)) for a, b, _ in shown]
    return np.flatnonzero((values[:, columns] == [value for _, _, value in shown]).all(axis=1))


def draw_specification(shares: Sequence[float], shown: int, rng: Random) -> tuple[Specification, Program]:
    """A function and some of its values that no other function of the family has too.

    shares: of programs of one line, and of two.
    """
    programs, kinds, values = _functions()
    bounds = [bisect_left(kinds, kind) for kind in (1, 2, 3)]
    while True:
        kind = rng.choices((0, 1), shares)[0]
        index = rng.randrange(bounds[kind], bounds[kind + 1])
        # With many choices of inputs a function is not the only one that fits.
        for _ in range(20):
            columns = rng.sample(range(len(INPUTS)), shown)
            same = (values[:, columns] == values[index, columns]).all(axis=1)
            if same.sum() == 1:
                cases = tuple((*INPUTS[column], int(values[index, column])) for column in columns)
                return Specification(cases), programs[index]
