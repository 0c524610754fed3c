r"""Final answers as values: a number with its unit, a list, a tuple, an interval, a matrix, an equation, a word.

`read_answer` turns what a data set or a solver wrote into values that `grading` compares. An answer may be meant in
two ways ("1,234" is a number or a list), so there may be several. What is not understood stays a text, which equals
the same text only: it is better to refuse a right answer than to reward a wrong one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from o1_assets.problems.answer_text import CURRENCY, clean, variants
from o1_assets.problems.bounds import LONGEST_ANSWER
from o1_assets.problems.formula import (
    FormulaReader,
    Token,
    Tree,
    Unreadable,
    symbols_of,
    tokenize,
)
from o1_assets.problems.formula_value import approximate, equal, nearly_equal
from o1_assets.problems.units import MULTIPLIERS, PERCENT, SHORT_UNITS, Unit, read_unit

MOST_ITEMS = 100
"""Of a list or a matrix; comparing two lists takes the square of it."""


@dataclass(frozen=True)
class Quantity:
    """A formula with its unit. percent: whether a per-cent sign stands behind it."""

    tree: Tree
    unit: Unit | None = None
    percent: bool = False

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
    """A list or a set. Its order does not count."""

    items: tuple[Value, ...]


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


@lru_cache(maxsize=1_024)  # of more, the garbage collector takes .4 s to look through all trees
def read_answer(text: str) -> tuple[Value, ...]:
    """All that the answer may mean; none where it is empty, too long, or its braces do not match.

    >>> read_answer("3/4") == read_answer("$3/4$"), len(read_answer("1,234"))
    (True, 2)
    """
    if len(text) > LONGEST_ANSWER:
        return ()
    readings: list[Value] = []
    with suppress(Unreadable, RecursionError):
        for variant in variants(clean(text)):
            tokens = _trimmed(tokenize(variant, SHORT_UNITS.__contains__))
            if not tokens:
                continue
            with suppress(Unreadable, RecursionError):
                readings += [v for v in _several(tokens) if v not in readings]
            word = Text(_key(tokens))
            if word not in readings:
                readings.append(word)
    return tuple(readings)


def solver_forms(gold: str) -> list[str]:
    """The forms in which a solver would write this answer: as it is, boxed, as a formula, and without its unit."""
    forms = [gold, f"\\boxed{{{gold}}}"]
    if "$" not in gold:
        forms.append(f"${gold}$")
    match read_answer(gold):
        case (Quantity(_, Unit()), *_):
            text = variants(clean(gold))[0]
            tokens = _trimmed(tokenize(text, SHORT_UNITS.__contains__))
            reader = FormulaReader([t for t in tokens if t.text not in CURRENCY])
            with suppress(Unreadable):
                reader.sum()
                for unit in reader.tokens[reader.position :][:1]:
                    forms.append(
                        re.sub(
                            r"(?:\\(?:text|mbox|mathrm|textrm|textnormal)|[\s{(^])*$", "", text[: unit.start]
                        )
                    )
    return forms


def _trimmed(tokens: list[Token]) -> list[Token]:
    """Without braces around all of it, and punctuation at its end."""
    while tokens and tokens[-1].kind == "mark" and tokens[-1].text in ".,;:":
        tokens = tokens[:-1]
    while len(tokens) > 1 and tokens[0].text == "{" and _closer(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _key(tokens: list[Token]) -> str:
    """The text by which answers are compared that are not understood: without spaces, and without case in words."""
    if len(tokens) == 3 and (tokens[0].text, tokens[2].text) == ("(", ")"):
        tokens = tokens[1:2]  # the choice (C)
    kept = [
        t for i, t in enumerate(tokens)
        if not (t.text in "{}" or (t.text == "." and i and tokens[i - 1].kind in ("word", "symbol")))
    ]  # fmt: skip
    # The tokens are kept apart: "1 2" is not "12".
    return " ".join(t.text.casefold() if t.kind == "word" and len(t.text) > 1 else t.text for t in kept)


# Structure.

_OPENING = frozenset(["(", "[", "{", "\\{", "\\langle", "\\begin"])
_CLOSING = frozenset([")", "]", "}", "\\}", "\\rangle", "\\end"])
_RELATIONS = {"=": "=", "<": "<", ">": ">", "\\le": "\\le", "\\ge": "\\ge", "\\ne": "\\ne", "\\in": "\\in",
              "\\approx": "\\approx", "\\lt": "<", "\\gt": ">", "\\equiv": "="}  # fmt: skip
_FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne", "=": "="}
_ABOUT = frozenset(["about", "approximately", "approx", "roughly", "only", "exactly"])


def _closer(tokens: list[Token], start: int) -> int:
    """The index of the bracket that closes the one at start; -1 if none does."""
    depth = 0
    for index in range(start, len(tokens)):
        if tokens[index].kind in ("mark", "command"):
            depth += (tokens[index].text in _OPENING) - (tokens[index].text in _CLOSING)
            if depth == 0:
                return index
    return -1


def _split(tokens: list[Token], separators: Iterable[str]) -> tuple[list[list[Token]], list[str]]:
    """The parts between separators outside of brackets, and the separators."""
    wanted = frozenset(separators)
    parts: list[list[Token]] = [[]]
    met = []
    depth = 0
    for token in tokens:
        if token.kind in ("mark", "command"):
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
        text = token.text.lower() if token.kind == "word" else token.text
        if depth == 0 and text in wanted:
            parts.append([])
            met.append(text)
        else:
            parts[-1].append(token)
    return parts, met


def _several(tokens: list[Token]) -> list[Value]:
    """Readings of an answer that may be a list."""
    tokens = _isolated(tokens)
    parts, separators = _split(tokens, (",", ";", "and", "or"))
    if len(parts) == 1:
        return _item(tokens)
    items: list[Value] = []
    for index, part in enumerate(parts):
        if not part:
            # "1, 2, and 3"
            if 0 < index < len(parts) - 1 and separators[index] in ("and", "or"):
                continue
            raise Unreadable("an empty place in a list")
        items += _flattened(_readable(part))
        if len(items) > MOST_ITEMS:
            raise Unreadable("too many items")
    sets = [item for item in items if isinstance(item, RealSet)]
    if len(sets) == len(items) and len({s.variable for s in sets}) == 1 and sets[0].variable:
        return [_combined(sets, separators)]
    return [Collection(tuple(items))]


def _isolated(tokens: list[Token]) -> list[Token]:
    """]a, b[ becomes (a, b)."""
    if len(tokens) > 2 and tokens[-1].text == "[":
        tokens = [*tokens[:-1], Token("mark", ")", tokens[-1].start)]
    if tokens and tokens[0].text == "]":
        tokens = [Token("mark", "(", 0), *tokens[1:]]
    return tokens


def _readable(part: list[Token]) -> Value:
    """The first reading of an item of a list; its text, where it holds a word and cannot be read."""
    try:
        return _item(_trimmed(part))[0]
    except Unreadable:
        if any(token.kind == "word" for token in part):
            return Text(_key(part))
        raise


def _flattened(value: Value) -> list[Value]:
    r"""The items of a list in a list: x = \pm 1 is two."""
    match value:
        case Collection(items):
            return list(items)
        case Named(name, Collection(items)):
            return [Named(name, item) for item in items]
    return [value]


def _item(tokens: list[Token]) -> list[Value]:
    tokens = _trimmed(tokens)
    while tokens and tokens[0].kind == "word" and tokens[0].text.lower() in _ABOUT:
        tokens = tokens[1:]
    sides, operators = _split(tokens, _RELATIONS)
    operators = [_RELATIONS[o] for o in operators]
    if operators and not sides[0] and operators[0] in ("=", "\\approx"):
        sides, operators = sides[1:], operators[1:]
    if not all(sides):
        raise Unreadable("a side of an equation is empty")
    if not operators:
        return _values(sides[0])
    if set(operators) <= {"=", "\\approx"}:
        return _equation(sides, operators)
    if operators == ["\\in"]:
        return [_named(sides[0], value) for value in _values(sides[1])]
    return [_inequality(sides, operators)]


def _values(tokens: list[Token]) -> list[Value]:
    """Readings of what holds no relation."""
    tokens = _trimmed(tokens)
    for read in (_special, _brackets, _union, _matrix, _based, _ratio):
        value = read(tokens)
        if value is not None:
            return [value]
    if any(token.text in ("\\pm", "\\mp") for token in tokens):
        return [Collection(tuple(_quantity(tokens, plus=plus) for plus in (True, False)))]
    readings: list[Value] = []
    last = tokens[-1]
    if (
        len(tokens) > 1
        and last.kind == "symbol"
        and last.spaced
        and last.text in "mgshL"
        and tokens[-2].kind == "number"
    ):
        # "6 m" is six metres or six times m.
        readings.append(_quantity([*tokens[:-1], Token("word", last.text, last.start, True)]))
    readings.insert(0, _quantity(tokens))
    return readings


def _special(tokens: list[Token]) -> Value | None:
    texts = [token.text for token in tokens]
    if texts[-1] == "\\infty" and len(texts) <= 2 and texts[0] in ("\\infty", "+", "-"):
        return Infinite(texts[0] == "-")
    if texts == ["\\emptyset"]:
        return Collection(())
    if texts == ["\\reals"]:
        return _ALL
    words = " ".join(texts).lower()
    if words in ("all real numbers", "all reals", "all real"):
        return _ALL
    return Collection(()) if words in ("no solution", "no solutions", "empty set") else None


_ALL = RealSet((Interval(Infinite(True), Infinite(), False, False),))


def _brackets(tokens: list[Token]) -> Value | None:
    opening = tokens[0].text
    if opening not in ("(", "[", "\\{", "\\langle") or _closer(tokens, 0) != len(tokens) - 1:
        return None
    inside = tokens[1:-1]
    if opening == "\\{":
        return _set(inside)
    parts, _ = _split(inside, (",", ";"))
    if len(parts) == 1:
        return None if opening != "\\langle" else Brackets("(", ")", tuple(_item(inside)[:1]))
    if len(parts) > MOST_ITEMS or not all(parts):
        raise Unreadable("an empty place in brackets, or too many")
    closing = tokens[-1].text
    shape = ("(", ")") if opening == "\\langle" else (opening, closing)
    return Brackets(*shape, tuple(_readable(part) for part in parts))


def _set(inside: list[Token]) -> Value:
    if not inside:
        return Collection(())
    condition, marks = _split(inside, ("|", ":"))
    given = marks and len(condition) == 2 and len(condition[0]) == 1  # as in {x | x > 3}
    value = _several(condition[1] if given else inside)[0]
    return value if isinstance(value, Collection | RealSet) else Collection((value,))


def _union(tokens: list[Token]) -> Value | None:
    parts, separators = _split(tokens, ("\\cup", "\\setminus"))
    if not separators:
        return None
    sets = [as_set(_values(part)[0]) if part else None for part in parts]
    if any(s is None for s in sets):
        raise Unreadable("a union of what are no sets")
    result = [i for i in sets[0].intervals] if sets[0] else []
    for operator, following in zip(separators, sets[1:], strict=True):
        assert following is not None
        if operator == "\\cup":
            result += following.intervals
        else:
            outside = RealSet(tuple(result))
            for interval in following.intervals:
                outside = _intersection(outside, _complement(interval))
            result = list(outside.intervals)
    return RealSet(tuple(result))


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


_MATRICES = frozenset(["pmatrix", "bmatrix", "Bmatrix", "matrix", "smallmatrix", "array"])
_SYSTEMS = frozenset(["cases", "aligned", "align", "gathered", "array", "align*"])


def _matrix(tokens: list[Token]) -> Value | None:
    if tokens[0].text in ("(", "[") and _closer(tokens, 0) == len(tokens) - 1 and len(tokens) > 2:
        tokens = tokens[1:-1]
    start = next((i for i, t in enumerate(tokens) if t.text == "\\begin"), -1)
    if start > 0 and tokens[-1].text in (")", "]", "}"):
        return _scaled(tokens, start - (tokens[start - 1].text in ("(", "[")))
    if start or _closer(tokens, 0) < 0:
        return None
    name_end = next((i for i, t in enumerate(tokens) if t.text == "}"), 0)
    name = "".join(t.text for t in tokens[2:name_end])
    end = next((i for i in range(len(tokens) - 1, 0, -1) if tokens[i].text == "\\end"), 0)
    if "".join(t.text for t in tokens[end + 2 : -1]) != name:
        raise Unreadable("an environment is not closed")
    lines, _ = _split(tokens[name_end + 1 : end], ("\\cr",))
    if lines and not lines[-1]:
        lines = lines[:-1]
    rows = [_split(line, ("&",))[0] for line in lines]
    if sum(map(len, rows)) > MOST_ITEMS:
        raise Unreadable("too large a matrix")
    cells = [[_readable(cell) if cell else None for cell in row] for row in rows]
    if name in _SYSTEMS and all(len(row) == 1 and isinstance(row[0], Named) for row in cells):
        return Collection(tuple(row[0] for row in cells if row[0] is not None))
    if name not in _MATRICES or len({len(row) for row in cells}) != 1:
        raise Unreadable(f"the environment {name} is not understood here")
    if any(cell is None for row in cells for cell in row):
        raise Unreadable("an empty place in a matrix")
    return Matrix(tuple(tuple(cell for cell in row if cell is not None) for row in cells))


def _scaled(tokens: list[Token], start: int) -> Value | None:
    """A number in front of a matrix multiplies all that is in it."""
    factor, matrix = _quantity(tokens[:start]), _matrix(tokens[start:])
    if not isinstance(matrix, Matrix) or factor.unit or factor.percent:
        raise Unreadable("no number before a matrix")
    rows = []
    for row in matrix.rows:
        if not all(isinstance(cell, Quantity) for cell in row):
            raise Unreadable("a matrix of what are no numbers")
        rows.append(
            tuple(Quantity(("*", factor.tree, cell.tree)) for cell in row if isinstance(cell, Quantity))
        )
    return Matrix(tuple(rows))


_BASES = dict(
    zip(
        [
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "sixteen",
        ],
        [*map(str, range(2, 13)), "16"],
        strict=True,
    )
)


def _based(tokens: list[Token]) -> Value | None:
    texts = [t.text for t in tokens if t.text not in ("{", "}")]
    if len(texts) < 3 or texts[-2] != "_" or tokens[0].text == "\\log":
        return None
    digits, base = "".join(texts[:-2]).upper(), _BASES.get(texts[-1].lower(), texts[-1])
    match = re.fullmatch(r"(-?)0*(?=[\dA-F])([\dA-F]+(?:\.[\dA-F]+)?)", digits)
    if match is None or not re.search(r"\d", digits) or not base.isdigit():
        return None
    return Based(match[1] + match[2], base)


def _ratio(tokens: list[Token]) -> Value | None:
    parts, separators = _split(tokens, (":",))
    if not separators:
        return None
    if not all(parts):
        raise Unreadable("an empty place in a ratio")
    return Ratio(tuple(_quantity(part) for part in parts))


def _quantity(tokens: list[Token], *, plus: bool = True) -> Quantity:
    """A formula and its unit, to the last token."""
    currency = [t for t in tokens[:2] if t.text in CURRENCY]
    if currency:
        tokens = [t for t in tokens if t is not currency[0]]
    reader = FormulaReader(tokens, plus=plus)
    tree = reader.sum()
    words = _unit_words(reader.tokens[reader.position :])
    negative = tree[0] == "-"
    bare = tree[1] if negative else tree
    if bare[0] == "degrees":
        # 30^\circ alone is thirty degrees; inside of a sine it is a number.
        tree = ("-", bare[1]) if negative else bare[1]
        words = ["degree", *words]
    # Two thirds, but no "12 third graders".
    while (
        words
        and words[0].lower() in MULTIPLIERS
        and (words[0][-1] == "s" or MULTIPLIERS[words[0].lower()] > 1)
    ):
        tree = ("*", tree, ("number", MULTIPLIERS[words[0].lower()], None))
        words = words[1:]
    if words[:2] == ["per", "cent"] or (words and words[0].lower() in PERCENT):
        return Quantity(tree, None, True)
    if currency:
        if words and read_unit(words) != read_unit([CURRENCY[currency[0].text]]):
            raise Unreadable("a second unit")
        words = [CURRENCY[currency[0].text]]
    unit = read_unit(words) if words else None
    return Quantity(tree, unit if unit and unit.powers else None)


def _unit_words(tokens: list[Token]) -> list[str]:
    """Words, "/" and exponents "^2" of a unit. Raises Unreadable where something else follows the number."""
    words: list[str] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.kind in ("word", "symbol") or token.text in ("/", "%", "\\%"):
            words.append(token.text.lstrip("\\"))
        elif token.text == "^":
            exponent = [t.text for t in tokens[position + 1 : position + 5] if t.text not in ("{", "}")][:1]
            if not exponent or not exponent[0].isdigit() or int(exponent[0]) > 9:
                raise Unreadable("no exponent of a unit")
            words.append("^" + exponent[0])
            while tokens[position].text != exponent[0]:
                position += 1
        elif token.text not in ("{", "}", "(", ")", ".", "-", "\\cdot", "\\%"):
            raise Unreadable(f"{token.text} after a number is not understood here")
        position += 1
    if words and not any(w[0].isalpha() or w == "%" for w in words):
        raise Unreadable("no unit")
    return words


# Equations and inequalities.


def _name(tokens: list[Token]) -> str | None:
    """The symbol, f(x) or tuple of symbols that stands for a value; "" for words; None for anything else."""
    tokens = _trimmed(tokens)
    kinds = {token.kind for token in tokens}
    if "word" in kinds and not kinds & {"number"}:
        return ""
    texts = [token.text for token in tokens]
    if len(texts) == 1 or (
        len(texts) > 2 and texts[1] == "_" and len([t for t in texts if t not in "{}"]) == 3
    ):
        head = tokens[0]
        named = head.kind == "symbol" or (head.kind == "command" and head.text[1:].isalpha())
        return "".join(t for t in texts if t not in "{}") if named and head.text != "\\pi" else None
    if tokens[0].kind == "symbol" and texts[1] in ("(", "'") and texts[-1] in (")", "'"):
        return "".join(texts)
    if texts[0] == "(" and texts[-1] == ")" and kinds <= {"symbol", "mark"} and "," in texts:
        return "".join(texts)
    return None


def _named(left: list[Token], value: Value) -> Value:
    name = _name(left)
    if name is None:
        raise Unreadable("no symbol on the left")
    return Named(name, value) if name else value


def _equation(sides: list[list[Token]], operators: list[str]) -> list[Value]:
    name = _name(sides[0])
    if name is None and len(sides) == 2 and _name(sides[1]):
        # 5 = x
        sides = sides[::-1]
        name = _name(sides[0])
    if name is None:
        return _chain(sides, operators)
    values = _chain(sides[1:], operators[1:]) if len(sides) > 2 else _values(sides[1])
    if not name:
        return values
    left = _tree(sides[0])
    named: list[Value] = []
    for value in values:
        relation: Tree | None = None
        if left is not None and isinstance(value, Quantity):
            relation = ("+", left, ("-", value.tree))
            if left[0] == "symbol" and left[1] in symbols_of(value.tree):
                named.append(Relation("=", relation))
                continue
        named.append(Named(name, value, relation))
    return named


def _tree(tokens: list[Token]) -> Tree | None:
    try:
        return _quantity(tokens).tree
    except Unreadable:
        return None


def _chain(sides: list[list[Token]], operators: list[str]) -> list[Value]:
    """What 2+3 = 5 or 5 = 2+3 says: its value, if it is true. An approximation may be meant by either side."""
    quantities = [_quantity(side) for side in sides]
    # 100 cm = 1 m holds in metres; in 2 + 3 = 5 cm the unit is written once.
    converted = all(q.unit for q in quantities) or any(q.percent for q in quantities)
    trees = [q.in_basic_units if converted else q.tree for q in quantities]
    symbols = set().union(*map(symbols_of, trees))
    for operator, (left, right) in zip(operators, pairwise(trees), strict=True):
        if equal(left, right) or (operator == "\\approx" and nearly_equal(left, right)):
            continue
        if not symbols or len(sides) > 2 or operator != "=":
            raise Unreadable("an equation that is not true")
        relation = Relation("=", ("+", left, ("-", right)))
        # x + y = 5 answers what x + y is. x^2 = 5, 2x = 5 and x - 3 = 5 do not say 5.
        plain = all(t.kind == "symbol" or t.text in "+()/" for t in sides[0]) and not symbols_of(right)
        return [relation, quantities[1]] if plain else [relation]
    last = quantities[-1]
    if "\\approx" in operators and len(set(trees)) <= 2:
        return [last, quantities[0]]
    return [last]


def _inequality(sides: list[list[Token]], operators: list[str]) -> Value:
    trees = [_tree(side) for side in sides]
    names = [_name(side) or "" for side in sides]
    if len(sides) == 2:
        if names[1] and not names[0]:
            sides, operators = sides[::-1], [_FLIPPED[operators[0]]]
            names, trees = names[::-1], trees[::-1]
        bound = _bound(sides[1])
        if (
            names[0]
            and bound is not None
            and not (isinstance(bound, Quantity) and names[0] in symbols_of(bound.tree))
        ):
            return RealSet(_half_line(operators[0], bound), names[0])
        left, right = trees
        if left is None or right is None:
            raise Unreadable("a side of an inequality is no formula")
        operator = operators[0]
        difference: Tree = ("+", left, ("-", right))
        if operator in (">", "\\ge"):
            operator, difference = _FLIPPED[operator], ("-", difference)
        return Relation(operator, difference)
    low, high = _bound(sides[0]), _bound(sides[-1])
    if len(sides) == 3 and names[1] and low is not None and high is not None:
        if set(operators) <= {">", "\\ge"}:
            low, high, operators = high, low, [_FLIPPED[o] for o in operators[::-1]]
        if set(operators) <= {"<", "\\le"}:
            closed = [o == "\\le" for o in operators]
            return RealSet((Interval(low, high, closed[0], closed[1]),), names[1])
    raise Unreadable("a chain of inequalities that is not understood here")


def _bound(tokens: list[Token]) -> Quantity | Infinite | None:
    value = _values(tokens)[0]
    return value if isinstance(value, Quantity | Infinite) else None


def _half_line(operator: str, bound: Quantity | Infinite) -> tuple[Interval, ...]:
    low, high = Infinite(True), Infinite()
    match operator:
        case "<" | "\\le":
            return (Interval(low, bound, False, operator == "\\le"),)
        case ">" | "\\ge":
            return (Interval(bound, high, operator == "\\ge", False),)
        case "\\ne":
            return (Interval(low, bound, False, False), Interval(bound, high, False, False))
    raise Unreadable("no inequality")


def _complement(interval: Interval) -> RealSet:
    sides = (
        Interval(Infinite(True), interval.low, False, not interval.low_closed),
        Interval(interval.high, Infinite(), not interval.high_closed, False),
    )
    empty = (interval.low == Infinite(True), interval.high == Infinite())
    return RealSet(tuple(side for side, none in zip(sides, empty, strict=True) if not none))


def _combined(sets: list[RealSet], separators: list[str]) -> RealSet:
    """Several inequalities of one variable: all of them hold, or one does."""
    union = RealSet(tuple(i for s in sets for i in s.intervals), sets[0].variable)
    if "or" in separators:
        return union
    both = sets[0]
    for following in sets[1:]:
        both = _intersection(both, following)
    # "x < 1, x > 3" leaves it to the reader which is meant.
    return both if both.intervals or "and" in separators else union


def _intersection(a: RealSet, b: RealSet) -> RealSet:
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
