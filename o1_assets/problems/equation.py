"""The equation of a word problem: its value, and the calculations that lead to it, one after another."""

from __future__ import annotations

import ast
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o1_assets.core.errors import O1Error

_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


class NoEquation(O1Error, ValueError):
    """The text is no equation of numbers joined by + - * /, or divides by nothing; the message says which."""


@dataclass(frozen=True)
class Calculation:
    """left sign right = value, each exact."""

    left: Fraction
    sign: str
    right: Fraction

    @property
    def value(self) -> Fraction:
        value: Fraction = _OPERATORS[self.sign](self.left, self.right)
        return value

    def __str__(self) -> str:
        """
        >>> str(Calculation(Fraction(7), "/", Fraction(2)))
        '7 / 2 = 3.5'
        """
        return f"{decimal(self.left)} {self.sign} {decimal(self.right)} = {decimal(self.value)}"


@dataclass(frozen=True)
class Equation:
    """value: what it comes to. calculations: in the order that a person does them, each on numbers known by then."""

    value: Fraction
    calculations: tuple[Calculation, ...]

    @classmethod
    def infix(cls, text: str) -> Equation:
        """
        >>> [str(step) for step in Equation.infix("( ( 36.0 - 12.0 ) * 2.0 )").calculations]
        ['36 - 12 = 24', '24 * 2 = 48']
        """
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError):
            raise NoEquation("it is not written as numbers joined by + - * /") from None
        return _of_tree(tree.body)

    @classmethod
    def prefix(cls, text: str, numbers: Sequence[str]) -> Equation:
        """The operator first, as MAWPS writes it. numbers: stand for number0, number1, ...

        >>> Equation.prefix("* number2 - number0 number1", ["15", "8", "9"]).calculations[-1].value
        Fraction(63, 1)
        """
        waiting: list[Equation] = []
        for word in reversed(text.split()):
            if word in _OPERATORS:
                if len(waiting) < 2:
                    raise NoEquation("an operator lacks a number")
                left, right = waiting.pop(), waiting.pop()
                waiting.append(_joined(left, word, right))
            else:
                waiting.append(cls(_number(word, numbers), ()))
        if len(waiting) != 1:
            raise NoEquation("it is not one expression")
        return waiting[0]


def decimal(number: Fraction) -> str:
    """Without an exponent and without zeros at its end. Raises NoEquation where its digits never end.

    >>> decimal(Fraction(2195, 100)), decimal(Fraction(51))
    ('21.95', '51')
    """
    rest, digits = number.denominator, 0
    while rest != 1:
        factor = 10 if rest % 10 == 0 else 5 if rest % 5 == 0 else 2
        if rest % factor:
            raise NoEquation("a calculation has a result whose digits never end")
        rest, digits = rest // factor, digits + 1
    if not digits:
        return str(number.numerator)
    return f"{float(number):.{digits}f}"


def _number(word: str, numbers: Sequence[str]) -> Fraction:
    name = word.removeprefix("number")
    try:
        return Fraction(Decimal(numbers[int(name)] if name != word else word))
    except (ArithmeticError, ValueError, IndexError):
        raise NoEquation(f"{word} is no number") from None


def _of_tree(node: ast.expr) -> Equation:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return Equation(Fraction(Decimal(str(value))), ())
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
            return _joined(_of_tree(left), _SIGNS[type(sign)], _of_tree(right))
    raise NoEquation("it is not written as numbers joined by + - * /")


def _joined(left: Equation, sign: str, right: Equation) -> Equation:
    calculation = Calculation(left.value, sign, right.value)
    try:
        return Equation(calculation.value, (*left.calculations, *right.calculations, calculation))
    except ZeroDivisionError:
        raise NoEquation("it divides by zero") from None
