"""The values of formulas: exact, as a fraction, where they are rational, else at a precision that is asked for.

Nothing here needs a clock: the size of every number and of all the work is bounded, and what exceeds a bound is
`Unreadable`.
"""

from __future__ import annotations

import hashlib
import math
import threading
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from o1_assets.problems.answers.formula import LARGEST_BITS, Tree, symbols_of
from o1_assets.problems.answers.tokens import Unreadable

Number = Any
"""A Fraction, exact; or an mpf or mpc of mpmath."""

LARGEST_MAGNITUDE = 1e6
"""Of the logarithm to base 2 of a number that is not exact."""

LARGEST_FACTORIAL = 5_000

LARGEST_INDEX = 1_000
"""Of a root that may be exact."""

EXACT_BITS = 250
"""Of an integer that takes part in a number that is not exact. More would be lost at the higher precision."""

LOST_BITS = 150
"""By so many, about 45 digits, two parts of a sum may differ in size."""

WORK = 20_000
"""Additions of short numbers, or their equivalent, that one evaluation may take; about a tenth of a second."""

DIGITS = (50, 100)
"""The two precisions. Equal numbers differ by 10^-50 and 10^-100 of their size, others by the same at both."""


@dataclass
class Evaluation:
    """One evaluation of a tree at a precision, with values for its symbols.

    With symbols, numbers that grow too large are rounded, since equal ones stay equal at random points; without, that
    would make different numbers equal, and they are refused. complex_numbers: whether values may leave the reals; they
    may not where no i is written, so that a formula has no value where a root in it has none.
    """

    digits: int
    values: dict[str, Fraction] = field(default_factory=dict)
    complex_numbers: bool = True
    work: float = 0

    def of(self, tree: Tree) -> Number:
        """The value of a tree: a Fraction, an mpf or an mpc. Raises Unreadable where it is too large or none."""
        kind = tree[0]
        if kind == "number":
            return self._checked(tree[1])
        if kind == "symbol":
            return self.values[tree[1]]
        if kind == "constant":
            return self._constant(tree[1])
        if kind == "call":
            return self._call(tree[1], self.of(tree[2]))
        try:
            operands = [self.of(part) if isinstance(part, tuple) else part for part in tree[1:]]
            return self._checked(getattr(self, _METHODS[kind])(*operands))
        except (ArithmeticError, ValueError, TypeError) as error:
            raise Unreadable(str(error)) from error

    def _checked(self, value: Number) -> Number:
        self.work += 1
        if isinstance(value, Fraction):
            bits = value.numerator.bit_length() + value.denominator.bit_length()
            # Multiplying and reducing long fractions takes the square of their length.
            self.work += (bits / 1_000) ** 2
            if bits > LARGEST_BITS:
                if not self.values:
                    raise Unreadable("a number is too large")
                value = self.rounded(value)
        elif not self._magnitude(value) < LARGEST_MAGNITUDE:
            raise Unreadable("a number is too large")
        elif not self.complex_numbers and self._mp.im(value):
            raise Unreadable("no real number")
        if self.work > WORK:
            raise Unreadable("too much work")
        return value

    def _magnitude(self, value: Number) -> float:
        """The absolute logarithm to base 2."""
        if not value:
            return 0
        if isinstance(value, Fraction):
            return abs(value.numerator.bit_length() - value.denominator.bit_length())
        magnitude = self._mp.mag(value)
        return abs(float(magnitude)) if self._mp.isint(magnitude) else math.inf

    @property
    def _mp(self) -> Any:
        context = _context()
        context.dps = self.digits
        return context

    def rounded(self, value: Number) -> Any:
        """The same number in mpmath's floating point."""
        if isinstance(value, Fraction):
            mp = self._mp
            if not self.values and max(map(_odd_bits, (value.numerator, value.denominator))) > EXACT_BITS:
                raise Unreadable("a number has too many digits to be rounded")
            return mp.mpf(value.numerator) / mp.mpf(value.denominator)
        return value

    def _constant(self, name: str) -> Number:
        self.work += 1
        mp = self._mp
        return {"pi": lambda: +mp.pi, "e": lambda: +mp.e, "i": lambda: mp.mpc(0, 1)}[name]()

    def subtract(self, a: Number, b: Number) -> Number:
        a, b = self.both(a, b)
        return a - b

    def both(self, a: Number, b: Number) -> tuple[Number, Number]:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a, b
        return self.rounded(a), self.rounded(b)

    def add(self, a: Number, b: Number) -> Number:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a + b
        a, b = self.both(a, b)
        if a and b and abs(self._mp.mag(a) - self._mp.mag(b)) > LOST_BITS:
            # 10^200 + sin 1 would be 10^200.
            raise Unreadable("a sum whose smaller part would be rounded away")
        return a + b

    def negate(self, a: Number) -> Number:
        return -a

    def multiply(self, a: Number, b: Number) -> Number:
        a, b = self.both(a, b)
        return a * b

    def divide(self, a: Number, b: Number) -> Number:
        a, b = self.both(a, b)
        if not b:
            raise Unreadable("a division by zero")
        return a / b

    def power(self, base: Number, exponent: Number) -> Number:
        if isinstance(exponent, Fraction):
            if exponent.denominator == 1:
                return self._whole_power(base, int(exponent))
            if exponent.denominator <= LARGEST_INDEX:
                return self.root(self._whole_power(base, exponent.numerator), Fraction(exponent.denominator))
        return self._float_power(base, exponent)

    def _float_power(self, base: Number, exponent: Number) -> Number:
        if not base:
            raise Unreadable("a power of zero")
        size = self._magnitude(base) + 1
        if self._magnitude(exponent) > 40 or size * abs(complex(self.rounded(exponent))) > LARGEST_MAGNITUDE:
            raise Unreadable("a power is too large")
        self.work += 20
        return self._mp.power(self.rounded(base), self.rounded(exponent))

    def _whole_power(self, base: Number, exponent: int) -> Number:
        if isinstance(base, Fraction) and base in (0, 1, -1):
            if not base and exponent <= 0:
                raise Unreadable("zero to a power that is not positive")
            return base ** (exponent % 2 or 2)
        if abs(exponent) > LARGEST_MAGNITUDE:
            raise Unreadable("a power is too large")
        if isinstance(base, Fraction):
            bits = max(base.numerator.bit_length(), base.denominator.bit_length())
            if bits * abs(exponent) <= LARGEST_BITS:
                return base**exponent
            if not self.values:
                raise Unreadable("a power is too large")
        return self._float_power(base, self._mp.mpf(exponent))

    def root(self, radicand: Number, index: Number) -> Number:
        """The real root where there is one: the cube root of -8 is -2."""
        if not isinstance(index, Fraction) or index.denominator != 1 or not 1 < index <= 1_000:
            return (
                self.power(radicand, self.divide(Fraction(1), index)) if index else self.divide(index, index)
            )
        degree = int(index)
        if isinstance(radicand, Fraction):
            if radicand < 0 and degree % 2:
                return self.negate(self.root(-radicand, index))
            above, below = (_whole_root(abs(n), degree) for n in (radicand.numerator, radicand.denominator))
            if radicand >= 0 and above is not None and below is not None:
                return Fraction(above, below)
        elif self._mp.im(radicand) == 0 and self._mp.re(radicand) < 0 and degree % 2:
            return self.negate(self.root(-radicand, index))
        self.work += 20
        return self._mp.root(self.rounded(radicand), degree)

    def factorial(self, a: Number) -> Number:
        if not isinstance(a, Fraction) or a.denominator != 1 or not 0 <= a <= LARGEST_FACTORIAL:
            raise Unreadable("a factorial of no small whole number")
        self.work += int(a) / 10
        return Fraction(math.factorial(int(a)))

    def binomial(self, n: Number, k: Number) -> Number:
        whole = all(isinstance(x, Fraction) and x.denominator == 1 for x in (n, k))
        if not whole or not 0 <= k <= LARGEST_FACTORIAL or not 0 <= n <= LARGEST_FACTORIAL:
            raise Unreadable("a binomial coefficient of no small whole numbers")
        self.work += int(n) / 10
        return Fraction(math.comb(int(n), int(k)))

    def absolute(self, a: Number) -> Number:
        return abs(a)

    def floor(self, a: Number) -> Number:
        return Fraction(math.floor(self._real(a)))

    def ceiling(self, a: Number) -> Number:
        return Fraction(math.ceil(self._real(a)))

    def _real(self, a: Number) -> Number:
        if not isinstance(a, Fraction) and self._mp.im(a):
            raise Unreadable("a complex number has no floor")
        if self._magnitude(a) > 1_000:
            raise Unreadable("a number is too large")
        return a if isinstance(a, Fraction) else self._mp.re(a)

    def degrees(self, a: Number) -> Number:
        return self.rounded(a) * self._mp.pi / 180

    def logarithm(self, a: Number, base: Number) -> Number:
        return self._call("ln", a) / self._call("ln", base)

    def apply(self, name: str, a: Number) -> Number:
        """The value of a function of which only the name is known: any number, but the same for the same argument."""
        written = str(a) if isinstance(a, Fraction) else self._mp.nstr(a, DIGITS[0] // 2)
        digest = hashlib.sha256(f"{name} {written}".encode()).digest()
        return Fraction(int.from_bytes(digest[:4]) + 1, 2**31)

    def _call(self, name: str, a: Number) -> Number:
        mp = self._mp
        value = self.rounded(a)
        self.work += 30
        # Beyond, the reduction of an angle or the exponential would need as many digits, or rounding would hide the
        # argument: the hyperbolic tangent of 500 is 1 to a hundred digits, as the cosine of 10^-60 is.
        largest = 6 if name in _SATURATING else 20 if name in _EXPONENTIAL else 100
        if name not in ("ln", "log") and value and not -100 < mp.mag(value) <= largest:
            raise Unreadable("an argument is too large or too small")
        try:
            return self._checked(getattr(mp, _CALLS[name])(value))
        except (ArithmeticError, ValueError, KeyError) as error:
            raise Unreadable(str(error)) from error


_EXPONENTIAL = frozenset(["exp", "sinh", "cosh"])
_SATURATING = frozenset(["tanh"])
_METHODS = {
    "+": "add", "-": "negate", "*": "multiply", "frac": "divide", "^": "power", "sqrt": "root", "!": "factorial",
    "binom": "binomial", "abs": "absolute", "floor": "floor", "ceil": "ceiling", "degrees": "degrees",
    "log": "logarithm", "apply": "apply",
}  # fmt: skip
_ARCS = {"arc" + name: "a" + name for name in ("sin", "cos", "tan", "cot", "sec", "csc")}
_CALLS = {
    name: name for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "exp", "ln")
} | {
    **_ARCS,
    "log": "log10",
}
"""The name of a function in mpmath."""

_LOCAL = threading.local()


def _context() -> Any:
    # One a thread: the precision of mpmath's own context belongs to everybody in the process.
    context = getattr(_LOCAL, "context", None)
    if context is None:
        from mpmath.ctx_mp import MPContext  # takes .2 s, and plain numbers need none

        context = _LOCAL.context = MPContext()
    return context


def _odd_bits(n: int) -> int:
    """The bits of an integer without the zeros at its end, which a binary number keeps exactly."""
    return (n // (n & -n)).bit_length() if n else 0


def _whole_root(n: int, degree: int) -> int | None:
    """The integer whose power n is; None if n is no such power."""
    if n < 2:
        return n
    if degree == 2:
        root = math.isqrt(n)
    elif degree >= n.bit_length():
        return None
    else:
        # Newton's method from above, on integers.
        root = 1 << -(-n.bit_length() // degree)
        while True:
            better = ((degree - 1) * root + n // root ** (degree - 1)) // degree
            if better >= root:
                break
            root = better
    return root if root**degree == n else None


def approximate(tree: Tree) -> float:
    """The value of a real number. Raises Unreadable where it is none, or where a float cannot hold it."""
    if symbols_of(tree):
        raise Unreadable("a symbol has no value")
    value = Evaluation(DIGITS[0]).of(tree)
    try:
        return float(value)
    except (OverflowError, TypeError) as error:
        raise Unreadable("no real number") from error


def terminates(tree: Tree) -> bool:
    """Whether the number can be written as a decimal that ends. False where it has no value."""
    try:
        value = Evaluation(DIGITS[0]).of(tree)
    except Unreadable:
        return False
    if not isinstance(value, Fraction):
        return False
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def linear(tree: Tree, name: str) -> tuple[Fraction, Fraction] | None:
    """Slope and constant of a formula with one symbol; None where it is not linear, or not rational."""
    values = []
    places = [Fraction(x) for x in (0, 1, 2, 5, -3)] + [Fraction(1, 3)]  # |x| and floors are no lines
    for x in places:
        try:
            values.append(Evaluation(DIGITS[0], {name: x}).of(tree))
        except Unreadable:
            return None
    if not all(isinstance(value, Fraction) for value in values):
        return None
    slope, constant = values[1] - values[0], values[0]
    straight = values == [slope * x + constant for x in places]
    return (slope, constant) if slope and straight else None
