"""The answers of reasoning_gym's arithmetic, computed again with fractions.

Measured on 3,000 problems each of version 0.1.25, at the defaults. basic_arithmetic: .8% are the floor of a value that
is no whole number; without parentheses 17% are wrong, because it works from left to right, and 48% are no whole
numbers. decimal_arithmetic: 10% differ in their last digits, because each operation is rounded. simple_equations: .07%
ask for the solution of 0 = 0. power_function: in 29% -2^2 is meant as (-2)^2. No answer was wrong of chain_sum,
decimal_chain_sum, products, gcd, lcm, fraction_simplification, complex_arithmetic, prime_factorization, count_bits,
bitwise_arithmetic, dice, number_format, leg_counting and calendar_arithmetic; nor of 150 each of the integrations and
of polynomial_multiplication, or of 400 polynomial_equations.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

_EXPRESSION = re.compile(r"[-+*/().\d ]+")
_OPERATIONS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}

# Of a power at most: an exponent costs nothing to write and everything to compute.
_BITS = 10_000


class Doubtful(ValueError):
    """The problem has no answer that can be relied on; the message is the reason, alike for all that share it."""


def exact_value(expression: str) -> Fraction:
    """The value of numbers joined by + - * / ** and parentheses.

    Raises Doubtful for anything else, ZeroDivisionError.

    >>> exact_value("542 + -9 + -438 / -(953 * -340 + -324018)")
    Fraction(172701908, 324019)
    """
    expression = expression.strip()
    if not _EXPRESSION.fullmatch(expression):
        raise Doubtful("its expression cannot be computed")

    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant():
                # From its letters: as a float, 0.1 would not be a tenth.
                return Fraction(expression[node.col_offset : node.end_col_offset])
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                operand = value(node.operand)
                return -operand if isinstance(node.op, ast.USub) else operand
            case ast.BinOp(op=ast.Pow()):
                return _power(value(node.left), value(node.right))
            case ast.BinOp() if operation := _OPERATIONS.get(type(node.op)):
                return operation(value(node.left), value(node.right))
        raise Doubtful("its expression cannot be computed")

    try:
        return value(ast.parse(expression, mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError) as error:  # thousands of terms or of parentheses
        raise Doubtful("its expression cannot be computed") from error


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    bits = max(abs(base.numerator), base.denominator).bit_length()
    if exponent.denominator != 1 or abs(exponent) * bits > _BITS:
        raise Doubtful("its expression cannot be computed")
    return Fraction(base**exponent.numerator)


def right_answer(generator: str, entry: Mapping[str, Any]) -> str | None:
    """The right answer of one of reasoning_gym's items: its own where that is right. Raises Doubtful.

    None: answers of this generator are not computed again.
    """
    compute = _GENERATORS.get(generator)
    if compute is None:
        return None
    try:
        return compute(entry)
    except ZeroDivisionError as error:
        raise Doubtful("it divides by zero") from error
    except Doubtful:
        raise
    except ValueError as error:  # Python writes no number of more than 4,300 digits
        raise Doubtful("its expression cannot be computed") from error


def _whole(entry: Mapping[str, Any]) -> str:
    value = exact_value(entry["metadata"]["expression"])
    # The generator computes with //. What a solver is to answer with is not said: a fraction, or which rounding of it.
    if value.denominator != 1:
        raise Doubtful("its value is no whole number, which its own answer is")
    return _own_or(entry, value, str(value))


def _decimal(entry: Mapping[str, Any]) -> str:
    value = exact_value(entry["metadata"]["expression"])
    # In a context of its own: decimal_arithmetic leaves twelve digits in that of the process.
    exact = Context(prec=1000).divide(Decimal(value.numerator), Decimal(value.denominator))
    return _own_or(entry, value, f"{exact:f}")


def _rounded(entry: Mapping[str, Any]) -> str:
    """Rounded once, as the question asks for."""
    asked, _, line = entry["question"].rpartition("\n")
    digits = re.search(r"maximum of (\d+) significant digits", asked)
    if digits is None:
        raise Doubtful("its question is not the one that is known")
    value = exact_value(line.removesuffix(" = ?"))
    context = Context(prec=int(digits[1]), rounding=ROUND_HALF_UP)
    rounded = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return _own_or(entry, Fraction(rounded), f"{rounded:f}")


def _solution(entry: Mapping[str, Any]) -> str:
    """Of a linear equation: the difference of its sides is computed at two places, and checked at a third."""
    left, _, right = entry["metadata"]["equation"].partition("=")
    variable = re.compile(rf"\b{entry['metadata']['variable']}\b")

    def difference(x: int) -> Fraction:
        return exact_value(variable.sub(f"({x})", left)) - exact_value(variable.sub(f"({x})", right))

    at_zero, slope = difference(0), difference(1) - difference(0)
    if not slope or difference(2) != at_zero + 2 * slope:
        raise Doubtful("its question has no single answer")
    solution = -at_zero / slope
    return _own_or(entry, solution, str(solution))


def _unambiguous_power(entry: Mapping[str, Any]) -> str:
    if entry["metadata"]["base"] < 0 and entry["metadata"]["exponent"] % 2 == 0:
        raise Doubtful("its question can be read in two ways")
    return str(entry["answer"])


def _own_or(entry: Mapping[str, Any], value: Fraction, text: str) -> str:
    """The item's own answer if it has this value, else `text`."""
    try:
        return entry["answer"] if Fraction(entry["answer"]) == value else text
    except (ValueError, TypeError):
        return text


_GENERATORS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "basic_arithmetic": _whole,
    "chain_sum": _whole,
    "decimal_arithmetic": _rounded,
    "decimal_chain_sum": _decimal,
    "power_function": _unambiguous_power,
    "products": _whole,
    "simple_equations": _solution,
}
