r"""Formulas of numbers and symbols: `\frac{1}{2}`, `3 1/2`, `(x+1)^2`, `2\sqrt{3}`, `\sin 30^\circ`, LaTeX or plain.

`FormulaReader` makes a tree of nested tuples; `formula_value.py` compares two of them. What is no formula, or too large
to be read in a moment, raises `Unreadable`, on every machine alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from o1_assets.problems.answers.tokens import APPLIED, DECORATIONS, FUNCTIONS, GREEK, Token, Unreadable

DEEPEST = 40


"""Brackets, roots, fractions and exponents within each other."""


MOST_OPERATORS = 200


"""Of one formula. With DEEPEST it keeps every tree far from Python's limit of recursion."""


MOST_DIGITS = 4_000
"""Of a number, its zeros included; Python refuses to print one of more than 4,300."""
LARGEST_BITS = 2**16


"""Of a numerator or denominator: 2004! has 19,000."""


Tree = tuple[Any, ...]


_FUNCTION_NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lg": "log"}


class FormulaReader:
    """A recursive-descent reader over tokens. It stops at the first token that is no formula's."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.operators = 0
        self.in_bars = 0

    def peek(self, ahead: int = 0) -> Token | None:
        index = self.position + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def at(self, *texts: str) -> bool:
        token = self.peek()
        return token is not None and token.kind in ("mark", "command") and token.text in texts

    def take(self, *texts: str) -> bool:
        if self.at(*texts):
            self.position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise Unreadable(f"{text} is missing")

    def operation(self, *parts: Any) -> Tree:
        self.operators += 1
        if self.operators > MOST_OPERATORS:
            raise Unreadable("too many operators")
        return parts

    def sum(self) -> Tree:
        result = self.product()
        while self.at("+", "-"):
            operator = self._sign()
            right = self.product()
            result = self.operation("+", result, right if operator == "+" else ("-", right))
        return result

    def _sign(self) -> str:
        self.position += 1
        return self.tokens[self.position - 1].text

    def product(self) -> Tree:
        result = self.signed()
        while True:
            if self.at("*", "\\cdot", "\\times", "\\ast"):
                cross = self.at("\\times")
                self.position += 1
                factor = self.signed()
                if cross and _is_vector(result) and _is_vector(factor):
                    raise Unreadable("a product of vectors")
                result = self.operation("*", result, factor)
            elif self.at("/", "\\div"):
                following = self.peek(1)
                if following is not None and following.kind == "word":
                    return result  # "per", as in 60/hour
                self.position += 1
                result = self.operation("frac", result, self.signed())
            elif self._factor_follows():
                result = self.operation("*", result, self.power())
            else:
                return result

    def signed(self) -> Tree:
        """A factor with any signs in front of it."""
        negative = False
        signs = 0
        while self.at("+", "-"):
            negative ^= self._sign() == "-"
            signs += 1
        if signs > 2:
            raise Unreadable("a row of signs")
        value = self.power()
        return ("-", value) if negative else value

    def _factor_follows(self) -> bool:
        """Whether a factor follows that is multiplied without a sign, as in 2x."""
        token = self.peek()
        if token is None or token.kind == "word":
            return False
        if token.kind == "symbol":
            return True
        if token.kind == "number":
            # "2 3" is no product, and no sum either: several numbers are several answers.
            before = self.tokens[self.position - 1]
            if before.kind == "number" or before.text in (")", "]", "\\rfloor", "\\rceil"):
                raise Unreadable("two numbers side by side")
            return True
        if token.text == "{":
            return not self._opens_words()
        if token.text in ("|", "\\lvert"):
            return token.text == "\\lvert" or not self.in_bars
        if token.text in ("(", "["):
            return not self._opens_words()
        if token.kind == "command":
            name = token.text[1:]
            inner = self.peek(2)
            if name == "frac" and inner is not None and inner.kind == "word":
                return False  # 3 \frac{\text{m}}{\text{s}}
            return name in _PREFIXES or name in FUNCTIONS or name in GREEK or name in DECORATIONS
        return False

    def _opens_words(self) -> bool:
        """Whether the brackets that begin here hold words: a unit, as in 9 (apples)."""
        depth = 0
        for token in self.tokens[self.position :]:
            depth += (token.text in "([{") - (token.text in ")]}")
            if token.kind == "word":
                return True
            if depth == 0:
                break
        return False

    def power(self) -> Tree:
        base = self.postfix(self.atom())
        if self.take("^"):
            if self.take("\\circ"):
                return ("degrees", base)
            exponent = self.script()
            if exponent == ("degree",):
                return self.postfix(("degrees", base))
            return self.postfix(("^", base, exponent))
        return base

    def postfix(self, base: Tree) -> Tree:
        factorials = 0
        while self.take("!"):
            factorials += 1
            base = ("!", base)
        if factorials > 1:
            raise Unreadable("a double factorial")
        return base

    def script(self) -> Tree:
        r"""An exponent: a group in braces, a number, a symbol or a sign and one of these."""
        following = [token.text for token in self.tokens[self.position : self.position + 3]]
        if following == ["{", "\\circ", "}"]:
            self.position += 3
            return ("degree",)
        if self.at("+", "-"):
            return self.signed()
        base = self.atom()
        return self.operation("^", base, self.script()) if self.take("^") else base

    def argument(self) -> Tree:
        r"""What a command such as \frac takes: a group in braces, one digit, or one symbol."""
        token = self.peek()
        if token is not None and token.kind == "number" and len(token.text) > 1 and token.text.isdigit():
            # \frac12 is a half: LaTeX takes one digit for an argument without braces.
            rest = Token("number", token.text[1:], token.start + 1)
            self.tokens = [*self.tokens[: self.position], rest, *self.tokens[self.position + 1 :]]
            return ("number", Fraction(int(token.text[0])), None)
        return self.atom()

    def atom(self) -> Tree:
        """A number, a symbol, a group or a command with its arguments."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable("nested too deeply")
        value = self._atom()
        self.depth -= 1
        return value

    def _atom(self) -> Tree:
        token = self.peek()
        if token is None:
            raise Unreadable("something is missing at the end")
        self.position += 1
        if token.kind == "number":
            return self._number(token)
        if token.kind == "symbol":
            return self._symbol(token)
        if token.kind == "command":
            return self._command(token.text[1:])
        if token.text in ("(", "[", "{"):
            value = self._inside(self.sum)
            self.expect({"(": ")", "[": "]", "{": "}"}[token.text])
            return value
        if token.text == "|":
            return self._bars("|")
        raise Unreadable(f"{token.text} is not understood here")

    def _inside(self, read: Callable[[], Tree]) -> Tree:
        bars, self.in_bars = self.in_bars, 0
        value = read()
        self.in_bars = bars
        return value

    def _bars(self, closing: str) -> Tree:
        self.in_bars += 1
        value = self.sum()
        self.expect(closing)
        self.in_bars -= 1
        return ("abs", value)

    def _number(self, token: Token) -> Tree:
        value = exact(token.text)
        whole, _, decimals = token.text.partition(".")
        if whole and self.at("\\overline", "\\dot", "\\bar") and "." in token.text:
            return self._repeating(token.text, value)
        if "." not in token.text and "e" not in token.text.lower():
            mixed = self._mixed(int(value))
            if mixed is not None:
                return mixed
            return ("number", value, None)
        return ("number", value, None if "e" in token.text.lower() else len(decimals))

    def _repeating(self, start: str, value: Fraction) -> Tree:
        r"""0.\overline{3} and 0.1\overline{23}: the digits under the bar repeat for ever."""
        self.position += 1
        braces = self.take("{")
        token = self.peek()
        if token is None or token.kind != "number" or not token.text.isdigit():
            raise Unreadable("no digits under the bar")
        self.position += 1
        if braces:
            self.expect("}")
        shift = 10 ** len(start.partition(".")[2])
        period = Fraction(int(token.text), 10 ** len(token.text) - 1)
        return ("number", value + period / shift, None)

    def _mixed(self, whole: int) -> Tree | None:
        r"""3\frac{1}{2} and 3 1/2 are three and a half."""
        begin = self.position
        if self.at("\\frac"):
            if not self._factor_follows():
                return None
            _, above, below = self.atom()
        else:
            first, stroke, last = self.peek(), self.peek(1), self.peek(2)
            if not (first and stroke and last and first.kind == last.kind == "number" and stroke.text == "/"):
                return None
            if not first.spaced or not (first.text.isdigit() and last.text.isdigit()):
                return None
            above, below = (("number", Fraction(int(t.text)), None) for t in (first, last))
            self.position += 3
        parts = [t[1] for t in (above, below) if t[0] == "number" and t[1].denominator == 1]
        if len(parts) == 2 and 0 < parts[0] < parts[1]:
            return ("number", whole + parts[0] / parts[1], None)
        self.position = begin
        return None

    def _symbol(self, token: Token) -> Tree:
        name = token.text
        if self.at("_"):
            name += self._subscript()
        while self.take("'", "\\prime"):
            name += "'"
        if (name in APPLIED and self.at("(")) or self._holds_name(name):
            return ("apply", name, self.atom())
        if name == "e":
            return ("constant", "e")
        return ("constant", "i") if name == "i" else ("symbol", name)

    def _holds_name(self, name: str) -> bool:
        """Whether a bracket follows that makes a function of the name: P(A), or I(0)."""
        following = [token.text for token in self.tokens[self.position : self.position + 3]]
        if len(following) < 3 or following[0] + following[2] != "()":
            return False
        return following[1].isdigit() or (name in "PE" and following[1].isupper())

    def _subscript(self) -> str:
        self.expect("_")
        if not self.take("{"):
            token = self.peek()
            if token is None or token.kind not in ("number", "symbol", "word"):
                raise Unreadable("an empty subscript")
            self.position += 1
            return "_" + token.text
        parts = []
        while not self.at("}"):
            token = self.peek()
            if token is None:
                raise Unreadable("a brace is not closed")
            parts.append(token.text)
            self.position += 1
        self.position += 1
        return "_" + "".join(parts)

    def _command(self, name: str) -> Tree:
        if name in FUNCTIONS:
            return self._function(_FUNCTION_NAMES.get(name, name))
        if name in GREEK:
            return self._symbol(Token("symbol", "\\" + name, 0))
        if name in DECORATIONS:
            begin = self.position
            self.argument()
            return (
                "symbol",
                f"{name} {' '.join(token.text for token in self.tokens[begin : self.position])}",
            )
        if name == "frac":
            fraction = ("frac", self.argument(), self.argument())
            following = self.peek()
            if following is not None and following.kind == "number":
                raise Unreadable("digits that belong to no argument")
            return fraction
        if name in ("binom", "dbinom", "tbinom"):
            return ("binom", self.argument(), self.argument())
        if name == "sqrt":
            return self._root()
        if name == "pi":
            return ("constant", "pi")
        if name == "lvert":
            return self._bars("\\rvert")
        if name in ("lfloor", "lceil"):
            value = self.sum()
            self.expect("\\r" + name[1:])
            return (name[1:], value)
        raise Unreadable(f"\\{name} is not understood here")

    def _root(self) -> Tree:
        index: Tree = ("number", Fraction(2), None)
        if self.take("["):
            index = self.sum()
            self.expect("]")
        token = self.peek()
        if token is not None and token.kind == "number":
            # Whoever writes \sqrt13 without braces means 13.
            self.position += 1
            return ("sqrt", ("number", exact(token.text), None), index)
        return ("sqrt", self.argument(), index)

    def _function(self, name: str) -> Tree:
        power, base = None, None
        if name == "log" and self.take("_"):
            base = self.argument()
        if self.take("^"):
            power = self.script()
        # In sin(x)^2 the square is that of the sine; in sin(x)y the operand ends at the bracket.
        operand = self.atom() if self.at("(", "[", "{", "|") else self._bare_operand()
        if power == ("-", ("number", Fraction(1), None)):
            # sin^{-1} is the inverse function and no reciprocal.
            name, power = "arc" + name, None
        value: Tree = ("log", operand, base) if base is not None else ("call", name, operand)
        return ("^", value, power) if power is not None else value

    def _bare_operand(self) -> Tree:
        r"""The operand of a function without brackets: \sin 2x is \sin(2x), \sin x \cos x a product of two."""
        operand = self.signed()
        while (token := self.peek()) is not None and self._factor_follows():
            another_function = token.kind == "command" and token.text[1:] in FUNCTIONS
            if another_function or token.text in ("(", "[", "{", "|"):
                break
            operand = self.operation("*", operand, self.power())
        if self.take("/"):
            operand = ("frac", operand, self.signed())
        return operand


# Commands that a factor may begin with.
_PREFIXES = frozenset(["frac", "sqrt", "pi", "binom", "dbinom", "tbinom", "lvert", "lfloor", "lceil"])


def _is_vector(tree: Tree) -> bool:
    return bool(tree[0] == "symbol" and tree[1].startswith(("vec ", "overrightarrow ", "hat ")))


def exact(digits: str) -> Fraction:
    """A number that is written in digits, perhaps as 1.5e-07. Raises Unreadable where it is too large."""
    exponent = re.split("[eE]", digits)[1:]
    if len(digits) + (abs(int(exponent[0])) if exponent else 0) > MOST_DIGITS:
        raise Unreadable("a number is too large")
    return Fraction(digits if digits[-1] != "." else digits[:-1])


def symbols_of(tree: Tree) -> set[str]:
    """The names of the symbols in a tree."""
    if tree[0] == "symbol":
        return {tree[1]}
    return set().union(*(symbols_of(part) for part in tree[1:] if isinstance(part, tuple)))


def decimals_of(tree: Tree) -> tuple[int, int] | None:
    """(digits after the point, significant digits) of a number that is written as a decimal; None for any other."""
    if tree[0] == "-":
        tree = tree[1]
    if tree[0] != "number" or tree[2] is None or not tree[2]:
        return None
    scaled = abs(tree[1]) * 10 ** tree[2]
    return tree[2], len(str(int(scaled))) if scaled else 0


def last_digit(tree: Tree) -> int:
    """Of a number that is written as a decimal."""
    return int(abs(tree[1]) * 10 ** tree[2]) % 10 if tree[0] == "number" else last_digit(tree[1])


def is_proper_fraction(tree: Tree) -> bool:
    """Whether it is written as one whole number over a larger one."""
    parts = tree[1:]
    whole = tree[0] == "frac" and all(part[0] == "number" and part[1].denominator == 1 for part in parts)
    return whole and bool(0 < parts[0][1] < parts[1][1])
