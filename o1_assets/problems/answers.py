r"""Final answers as values: a number with its unit, a list, a tuple, an interval, a matrix, an equation, a word.

`read_answer` turns what a data set or a solver wrote into values that `grading` compares. An answer may be meant in
two ways ("1,234" is a number or a list), so there may be several. What is not understood stays a text, which equals
the same text only: it is better to refuse a right answer than to reward a wrong one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product

from o1_assets.problems.answer_text import CURRENCY, clean, variants
from o1_assets.problems.bounds import LONGEST_ANSWER
from o1_assets.problems.formula import (
    DECORATIONS,
    GREEK,
    FormulaReader,
    Token,
    Tree,
    Unreadable,
    is_proper_fraction,
    symbols_of,
    tokenize,
)
from o1_assets.problems.formula_value import approximate, equal, linear, nearly_equal
from o1_assets.problems.units import (
    LETTER_UNITS,
    MULTIPLIERS,
    NO_UNITS,
    PERCENT,
    SHORT_UNITS,
    Unit,
    read_unit,
)

EXPRESSION = "="
"""The name of what is said to have a value but is no single symbol: x + y = 5."""

MOST_ITEMS = 100
"""Of a list or a matrix; comparing two lists takes the square of it."""


@dataclass(frozen=True)
class Quantity:
    """A formula with its unit. percent: whether a per-cent sign stands behind it."""

    tree: Tree
    unit: Unit | None = None
    percent: bool = False
    guessed: bool = False
    """Whether the unit may be something else: "6 m" six times m, "5 quarters" five fourths. In a gold answer such a
    unit may not be left out, and an attached one, as in "6m", counts beside a unit only."""
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
            if not _balanced(tokens):
                continue
            values: list[Value] = []
            with suppress(Unreadable, RecursionError):
                values += _several(tokens) if tokens else []
            if tokens and (not values or _letters_only(tokens)):
                values.append(Text(_key(tokens)))
            readings += [value for value in values if value not in readings]
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
    while tokens and tokens[-1].kind == "mark" and tokens[-1].text in ".,;":
        tokens = tokens[:-1]
    while len(tokens) > 1 and tokens[0].text == "{" and _closer(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _balanced(tokens: list[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += (token.text == "{") - (token.text == "}")
        if depth < 0:
            return False
    return depth == 0


def _letters_only(tokens: list[Token]) -> bool:
    """Whether the answer may be a choice or a name rather than a product of symbols: C, (C), AB."""
    return all(token.kind in ("symbol", "word") or token.text in "()" for token in tokens)


def _key(tokens: list[Token]) -> str:
    """The text by which answers are compared that are not understood: without spaces, and without case in words."""
    if len(tokens) == 3 and (tokens[0].text, tokens[2].text) == ("(", ")"):
        tokens = tokens[1:2]  # the choice (C)
    parts: list[str] = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        letters = token.kind in ("word", "symbol")
        if token.text == "." and before is not None and before.kind in ("word", "symbol"):
            continue
        # AB and ab are names of different lines, but words are the same at the beginning of a sentence.
        name = len(token.text) < 3 and token.text.lower() not in SHORT_UNITS
        text = token.text.casefold() if token.kind == "word" and not name else token.text
        if letters and not token.spaced and before is not None and before.kind == token.kind == "symbol":
            parts[-1] += text
        else:
            parts.append(text)
    # The tokens are kept apart: "1 2" is not "12".
    return " ".join(parts)


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
        value = _readable(part)
        items += _flattened(value) if _has_signs(part) else [value]
        if len(items) > MOST_ITEMS:
            raise Unreadable("too many items")
    names = {item.name for item in items if isinstance(item, Named)}
    if "or" in separators and len(names) > 1:
        raise Unreadable("x = 1 or y = 2")
    combined = _combined(items, separators)
    readings: list[Value] = [Collection(tuple(items)) if combined is None else combined]
    if set(separators) <= {"and", ","} and (total := _total(items)) is not None:
        readings.append(total)
    match items:
        case [Quantity(("number", whole, _), None, False), Quantity(tree, None, False)] if separators == [
            "and"
        ]:
            if is_proper_fraction(tree) and whole.denominator == 1:
                readings.append(Quantity(("number", whole + tree[1][1] / tree[2][1], None)))
    return readings


def _has_signs(part: list[Token]) -> bool:
    r"""Whether it is two values that are written as one, as \pm 1 is, and no set of its own."""
    return part[0].text != "\\{" and any(token.text in ("\\pm", "\\mp") for token in part)


def _total(items: Iterable[Value]) -> Value | None:
    """2 hours and 30 minutes, in seconds; None where the units are not of one kind, from large to small."""
    values = list(items)
    quantities = [value for value in values if isinstance(value, Quantity)]
    units = [quantity.unit for quantity in quantities if quantity.unit is not None]
    if len(units) < len(values):
        return None
    sizes = [unit.size for unit in units]
    if len({unit.powers for unit in units}) != 1 or sizes != sorted(set(sizes), reverse=True):
        return None
    tree = quantities[0].in_basic_units
    for quantity in quantities[1:]:
        tree = ("+", tree, quantity.in_basic_units)
    return Quantity(tree, Unit(units[0].powers, Fraction(1)))


def _isolated(tokens: list[Token]) -> list[Token]:
    """]a, b[ becomes (a, b)."""
    if len(tokens) > 2 and tokens[-1].text == "[":
        tokens = [*tokens[:-1], Token("mark", ")", tokens[-1].start)]
    if tokens and tokens[0].text == "]":
        tokens = [Token("mark", "(", 0), *tokens[1:]]
    return tokens


def _readable(part: list[Token]) -> Value:
    """The first reading of an item of a list; its text, where it cannot be read."""
    try:
        return _item(_trimmed(part))[0]
    except Unreadable:
        return Text(_key(part))


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
    texts = [token.text for token in tokens[:3]]
    if (
        len(tokens) > 3
        and texts[0] + texts[2] == "()"
        and texts[1] in "ABCDEF"
        and tokens[3].kind == "number"
    ):
        return [Named(f"({texts[1]})", value) for value in _values(tokens[3:])]  # a choice with its value
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
    if not tokens:
        raise Unreadable("nothing is written")
    for read in (_special, _brackets, _union, _matrix, _based, _ratio):
        value = read(tokens)
        if value is not None:
            return [value]
    if any(token.text in ("\\pm", "\\mp") for token in tokens):
        return [Collection(tuple(_quantity(signed) for signed in _signs(tokens)))]
    readings: list[Value] = [_quantity(tokens)]
    if (words := _letter_unit(tokens)) is not None:
        with suppress(Unreadable):
            readings.append(replace(_quantity(words), guessed=True, attached=not tokens[1].spaced))
    if (
        tokens[-1].kind == "word"
        and (size := MULTIPLIERS.get(tokens[-1].text.lower())) is not None
        and size < 100
    ):
        # Quarters are coins as well, and dozens may be what is counted.
        with suppress(Unreadable):
            noun = [Token("mark", "(", 0), tokens[-1], Token("mark", ")", 0)]
            readings.append(replace(_quantity([*tokens[:-1], *noun]), guessed=True, attached=True))
    return readings


def _signs(tokens: list[Token]) -> Iterator[list[Token]]:
    r"""The formulas that \pm stands for. Beside a \mp all signs change together, otherwise each by itself."""
    places = [index for index, token in enumerate(tokens) if token.text in ("\\pm", "\\mp")]
    together = any(token.text == "\\mp" for token in tokens)
    if len(places) > 3 and not together:
        raise Unreadable("too many signs")
    for choice in product((True, False), repeat=1 if together else len(places)):
        signed = list(tokens)
        for number, index in enumerate(places):
            plus = choice[0 if together else number] == (tokens[index].text == "\\pm")
            signed[index] = Token("mark", "+" if plus else "-", tokens[index].start)
        yield signed


def _letter_unit(tokens: list[Token]) -> list[Token] | None:
    """The tokens after a number as words, where single letters may be a unit: "6 m" is six metres or six times m."""
    if len(tokens) < 2 or tokens[0].kind != "number":
        return None
    allowed = all(
        t.text in LETTER_UNITS | frozenset("/^{}") or (t.text.isdigit() and len(t.text) == 1)
        for t in tokens[1:]
    )
    if not allowed or tokens[1].kind != "symbol":
        return None
    return [Token("word", t.text, t.start, True) if t.kind == "symbol" else t for t in tokens]


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
    head = [token.text for token in condition[0]]
    if marks and len(condition) == 2 and (len(head) == 1 or head[1:] == ["\\in", "\\reals"]):
        # {x | x > 3}
        value = _several(condition[1])[0]
    else:
        value = _several(inside)[0]
        several = len(_split(inside, (",", ";", "and", "or"))[0]) > 1 or _has_signs(inside)
        if isinstance(value, Collection) and not several:
            return Collection((value,))
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
    texts = [t.text for t in tokens if t.text not in ("{", "}", "(", ")", "base")]
    if len(texts) < 3 or texts[-2] != "_" or tokens[0].text == "\\log":
        return None
    digits, base = "".join(texts[:-2]).upper(), _BASES.get(texts[-1].lower(), texts[-1])
    match = re.fullmatch(r"(-?)0*(?=[\dA-F])([\dA-F]+(?:\.[\dA-F]+)?)", digits)
    if match is None or not re.search(r"\d", digits) or not base.isdigit():
        return None
    return Based(match[1] + match[2], base)


def _ratio(tokens: list[Token]) -> Value | None:
    parts, separators = _split(tokens, (":", "to"))
    if not separators:
        return None
    if not all(parts):
        raise Unreadable("an empty place in a ratio")
    return Ratio(tuple(_quantity(part) for part in parts))


def _quantity(tokens: list[Token]) -> Quantity:
    """A formula and its unit, to the last token."""
    currency = [t for t in tokens[:2] if t.text in CURRENCY]
    if currency:
        tokens = [t for t in tokens if t is not currency[0]]
    reader = FormulaReader(tokens)
    tree = reader.sum()
    rest = reader.tokens[reader.position :]
    following = next(
        (i for i, t in enumerate(rest) if t.kind == "number" and rest[i - 1].kind == "word"), len(rest)
    )
    words = _unit_words(rest[:following])
    negative = tree[0] == "-"
    bare = tree[1] if negative else tree
    if bare[0] == "degrees":
        # 30^\circ alone is thirty degrees; inside of a sine it is a number.
        tree = ("-", bare[1]) if negative else bare[1]
        words = ["degree", *words]
    # Two thirds, but no "12 third graders" and no 5 (quarters), which are coins.
    noun = bool(rest) and rest[0].text == "("
    while words and (size := _multiplier(words[0])) is not None and (size >= 100 or not noun):
        tree = ("*", tree, ("number", size, None))
        words = words[1:]
    signs = 2 if words[:2] == ["per", "cent"] else int(bool(words) and words[0].lower() in PERCENT)
    if signs:
        if following < len(rest) or (words[signs:] and words[signs].lower() != "of"):
            raise Unreadable("more than a per-cent sign")
        if words[signs:]:
            read_unit(words[signs:])
        return Quantity(tree, None, True)
    if currency:
        if words and read_unit(words) != read_unit([CURRENCY[currency[0].text]]):
            raise Unreadable("a second unit")
        words = [CURRENCY[currency[0].text]]
    unit = read_unit(words) if words else None
    quantity = Quantity(tree, unit if unit and unit.powers else None)
    if following < len(rest):
        total = _total((quantity, _quantity(rest[following:])))  # 2 hours 30 minutes
        if not isinstance(total, Quantity):
            raise Unreadable("a second number")
        return total
    return quantity


def _multiplier(word: str) -> Fraction | None:
    size = MULTIPLIERS.get(word.lower())
    return size if size is not None and (size > 1 or word[-1] == "s") else None


def _unit_words(tokens: list[Token]) -> list[str]:
    """Words, "/" and exponents "^2" of a unit. Raises Unreadable where something else follows the number."""
    words: list[str] = []
    in_exponent = in_fraction = False
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        after = tokens[index + 1].text if index + 1 < len(tokens) else ""
        if in_exponent and token.text not in ("{", "-"):
            if not (token.text.isdigit() and len(token.text) == 1):
                raise Unreadable("no exponent of a unit")
            words[-1] += token.text
            in_exponent = False
        elif in_exponent and token.text == "-":
            words[-1] += "-"
        elif token.kind == "symbol" and not (
            tokens[0].text == "(" or token.text in LETTER_UNITS or "-" in (before, after)
        ):
            raise Unreadable("a symbol behind a unit")
        elif token.kind in ("word", "symbol") or token.text in ("/", "%", "\\%"):
            words.append(token.text.lstrip("\\"))
        elif token.text == "^":
            words.append("^")
            in_exponent = True
        elif token.text == "{" and before == "}" and in_fraction:
            words.append("/")
        elif token.text == "\\frac":
            in_fraction = True
        elif token.text not in ("{", "}", "(", ")", ".", "-", "\\cdot"):
            raise Unreadable(f"{token.text} after a number is not understood here")
    if words and not any(w[0].isalpha() or w == "%" for w in words):
        raise Unreadable("no unit")
    return words


# Equations and inequalities.


def _name(tokens: list[Token]) -> str | None:
    """The symbol, f(x) or tuple of symbols that stands for a value; "" for words; None for anything else."""
    tokens = _trimmed(tokens)
    if not tokens:
        return None
    kinds = {token.kind for token in tokens}
    if "word" in kinds and not kinds & {"number"}:
        return None if any(token.text.lower() in NO_UNITS for token in tokens) else ""
    texts = [token.text for token in tokens]
    if texts[0] in ("\\angle", "\\triangle") and kinds <= {"command", "symbol"}:
        return ""
    if texts[0][1:] in DECORATIONS and len(texts) == 4 and tokens[2].kind == "symbol":
        return "".join(texts)
    if len(texts) == 1 or (
        len(texts) > 2 and texts[1] == "_" and len([t for t in texts if t not in "{}"]) == 3
    ):
        head = tokens[0]
        named = head.kind == "symbol" or head.text[1:] in GREEK
        return "".join(t for t in texts if t not in "{}") if named else None
    if tokens[0].kind == "symbol" and texts[1] in ("(", "'") and texts[-1] in (")", "'"):
        return "".join(texts)
    letters = all(t.kind in ("symbol", "mark") or t.text[1:] in GREEK for t in tokens)
    if texts[0] == "(" and texts[-1] == ")" and letters and "," in texts:
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
        if left is not None and isinstance(value, Quantity) and not (value.unit or value.percent):
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
        return [Named(EXPRESSION, quantities[1], relation.tree)] if plain else [relation]
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
        return _solved(operator, difference) or Relation(operator, difference)
    low, high = _bound(sides[0]), _bound(sides[-1])
    if len(sides) == 3 and names[1] and low is not None and high is not None:
        if set(operators) <= {">", "\\ge"}:
            low, high, operators = high, low, [_FLIPPED[o] for o in operators[::-1]]
        if set(operators) <= {"<", "\\le"}:
            closed = [o == "\\le" for o in operators]
            return RealSet((Interval(low, high, closed[0], closed[1]),), names[1])
    raise Unreadable("a chain of inequalities that is not understood here")


def _solved(operator: str, difference: Tree) -> RealSet | None:
    """The values for which a formula with one symbol, in which it is linear, is below, at most or not zero."""
    symbols = symbols_of(difference)
    line = linear(difference, *symbols) if len(symbols) == 1 else None
    if line is None:
        return None
    slope, constant = line
    if slope < 0 and operator != "\\ne":
        operator = _FLIPPED[operator]
    bound = Quantity(("number", -constant / slope, None))
    return RealSet(_half_line(operator, bound), *symbols)


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


def _combined(items: list[Value], separators: list[str]) -> RealSet | None:
    """Several conditions on one variable as the set where all of them hold, or one does; None for anything else."""
    sets = [_condition(item) for item in items]
    known = [a_set for a_set in sets if a_set is not None]
    variables = {a_set.variable for a_set in known}
    if len(known) < len(items) or len(variables) > 1:
        return None
    [variable] = variables
    # (1, 2) or (3, 4) may be two points; with a square bracket or an infinite end they are intervals.
    ends = [end for a_set in known for i in a_set.intervals for end in (i.low, i.high)]
    intervals = any(isinstance(item, Brackets) for item in items)
    if not variable and not (intervals and "or" in separators and any(isinstance(e, Infinite) for e in ends)):
        return None
    if variable and all(isinstance(item, Named) for item in items):
        return None  # x = 1 or x = 2
    union = RealSet(tuple(i for a_set in known for i in a_set.intervals), variable)
    if "or" in separators:
        return union
    both = known[0]
    for following in known[1:]:
        both = _intersection(both, following)
    # "x < 1, x > 3" leaves it to the reader which is meant.
    return both if both.intervals or "and" in separators else union


def _condition(item: Value) -> RealSet | None:
    """An inequality, x = 1 or x \\in (1, 2) as a set."""
    match item:
        case RealSet() | Brackets():
            return as_set(item)
        case Named(name, (RealSet() | Brackets()) as value) if (a_set := as_set(value)) is not None:
            return RealSet(a_set.intervals, name)
        case Named(name, Quantity() as point):
            return RealSet((Interval(point, point, True, True),), name)
    return None


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
