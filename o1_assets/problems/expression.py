"""Arithmetic expressions as a solver sees them: terms, operators, and the one-operation steps that are allowed.

The teacher that writes the base corpus and the oracle that rates steps both use it, so they agree on what a right step
is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_TOKEN = re.compile(r"\s*(-?\d+)\s*([-+*]|$)")
# What is left of the expression stands behind the operation, where anything is.
OPERATION = re.compile(r"(-?\d+)([-+*])(-?\d+)=(-?\d+)(?: left (-?\d+(?:[-+*]-?\d+)*))?", re.ASCII)


class Operation(NamedTuple):
    """a op b = result, as a step claims. left: what it says is left of the expression; None if it says nothing, as
    where no operation is left.

    >>> Operation.read("2*3=6 left 7-6+4")
    Operation(a=2, op='*', b=3, result=6, left='7-6+4')
    """

    a: int
    op: str
    b: int
    result: int
    left: str | None = None

    @classmethod
    def read(cls, step: str) -> Operation | None:
        match = OPERATION.fullmatch(step)
        return cls(int(match[1]), match[2], int(match[3]), int(match[4]), match[5]) if match else None

    @classmethod
    def at(cls, state: Expression, index: int, result: int | None = None) -> Operation:
        """The operation at `index` of what is left, with its right result or this one."""
        a, op, b = state.numbers[index], state.ops[index], state.numbers[index + 1]
        after = state.reduce(index, result)
        return cls(a, op, b, after.numbers[index], after.compact if after.ops else None)

    def __str__(self) -> str:
        return f"{self.claim} left {self.left}" if self.left else self.claim

    @property
    def claim(self) -> str:
        """The step without what is left."""
        return f"{self.a}{self.op}{self.b}={self.result}"

    @property
    def is_true(self) -> bool:
        return apply(self.a, self.op, self.b) == self.result


def apply(a: int, op: str, b: int) -> int:
    """a op b for op in + - *."""
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "*":
        return a * b
    raise ValueError(f"operator {op!r} is not one of + - *")


@dataclass(frozen=True)
class Expression:
    """numbers[0] ops[0] numbers[1] ops[1] ...; len(ops) == len(numbers) - 1."""

    numbers: tuple[int, ...]
    ops: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Parse "3 * 4 - 5". Raises ValueError on anything that is not integers joined by + - *."""
        numbers: list[int] = []
        ops: list[str] = []
        position = 0
        while True:
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"{text!r} is not an expression of integers joined by + - *")
            numbers.append(int(match[1]))
            position = match.end()
            if not match[2]:
                return cls(tuple(numbers), tuple(ops))
            ops.append(match[2])

    def value(self) -> int:
        state = self
        while state.ops:
            state = state.reduce(state.next_index())
        return state.numbers[0]

    def next_index(self) -> int:
        """Where the standard order works next: the first product, else the first operator."""
        return self.ops.index("*") if "*" in self.ops else 0

    def legal_indices(self) -> list[int]:
        """Operators whose two neighbours may be combined now without changing the expression's value.

        >>> Expression.parse("9 - 4 + 3 * 2").legal_indices()  # 9 - 4 and 3 * 2, but not 4 + 3
        [0, 2]
        """
        # Any product: multiplication is associative. A sum if no product stands beside it, and no minus directly to its
        # left, which would turn its sign.
        legal = []
        for i, op in enumerate(self.ops):
            left = self.ops[i - 1] if i > 0 else "+"
            right = self.ops[i + 1] if i + 1 < len(self.ops) else "+"
            if op == "*" or (left == "+" and right != "*"):
                legal.append(i)
        return legal

    def reduce(self, index: int, result: int | None = None) -> Expression:
        """The expression with the operation at `index` replaced by its result, or by `result`, which may be wrong."""
        if result is None:
            result = apply(self.numbers[index], self.ops[index], self.numbers[index + 1])
        return Expression(
            (*self.numbers[:index], result, *self.numbers[index + 2 :]),
            self.ops[:index] + self.ops[index + 1 :],
        )

    def match(self, a: int, op: str, b: int) -> list[int]:
        """Indices at which this expression reads `a op b`."""
        return [
            i
            for i in range(len(self.ops))
            if (self.numbers[i], self.ops[i], self.numbers[i + 1]) == (a, op, b)
        ]

    @property
    def compact(self) -> str:
        """The expression without spaces, as a step writes it."""
        return str(self).replace(" ", "")

    def __str__(self) -> str:
        return " ".join(
            [str(self.numbers[0]), *(f"{o} {n}" for o, n in zip(self.ops, self.numbers[1:], strict=True))]
        )
