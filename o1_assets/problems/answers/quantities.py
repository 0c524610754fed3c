"""Numbers with their units, numbers in another base, and ratios."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import product

from o1_assets.problems.answers.formula import FormulaReader
from o1_assets.problems.answers.text import CURRENCY
from o1_assets.problems.answers.tokens import Token, Unreadable, split
from o1_assets.problems.answers.units import LETTER_UNITS, MULTIPLIERS, PERCENT, Unit, read_unit
from o1_assets.problems.answers.values import Based, Quantity, Ratio, Value


def sum_of_units(items: Iterable[Value]) -> Value | None:
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
    return Quantity(tree, Unit(units[0].powers, Fraction(1)), guessed=True, attached=True)


def signs(tokens: list[Token]) -> Iterator[list[Token]]:
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


def letter_unit(tokens: list[Token]) -> tuple[list[Token], bool] | None:
    """The tokens with those after the number as words, where single letters may be a unit: "6 m" is six metres or six
    times m; and whether they stand at the number without a space, as in "6m"."""
    unit = tokens[_number_length(tokens) :]
    if len(unit) in (0, len(tokens)) or unit[0].kind != "symbol":
        return None
    allowed = LETTER_UNITS | frozenset("/^{}")
    if not all(t.text in allowed or (t.text.isdigit() and len(t.text) == 1) for t in unit):
        return None
    words = [Token("word", t.text, t.start, True) if t.kind == "symbol" else t for t in unit]
    return tokens[: -len(unit)] + words, not unit[0].spaced


_POWER_OF_TEN = re.compile(r"(?:\*|\\cdot|\\times) 10 \^ (?:(?:- )?\d+|\{ (?:- )?\d+ \})(?= |$)")


def _number_length(tokens: list[Token]) -> int:
    """How many tokens the number takes that comes first: one, or all of 5 * 10^{3}; 0 where none comes first."""
    if not tokens or tokens[0].kind != "number":
        return 0
    power = _POWER_OF_TEN.match(" ".join(t.text for t in tokens[1:9]))
    return 1 + len(power[0].split()) if power else 1


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


def read_based(tokens: list[Token]) -> Value | None:
    texts = [t.text for t in tokens if t.text not in ("{", "}", "(", ")", "base")]
    if len(texts) < 3 or texts[-2] != "_" or tokens[0].text == "\\log":
        return None
    digits, base = "".join(texts[:-2]).upper(), _BASES.get(texts[-1].lower(), texts[-1])
    match = re.fullmatch(r"(-?)0*(?=[\dA-F])([\dA-F]+(?:\.[\dA-F]+)?)", digits)
    if match is None or not re.search(r"\d", digits) or not base.isdigit():
        return None
    return Based(match[1] + match[2], base)


def read_ratio(tokens: list[Token]) -> Value | None:
    parts, separators = split(tokens, (":", "to"))
    if not separators:
        return None
    if not all(parts):
        raise Unreadable("an empty place in a ratio")
    clock = any(re.fullmatch(r"0\d", part[0].text) for part in parts)
    if clock and any(
        t.kind != "number" and t.text.lower() not in ("am", "pm") for part in parts for t in part
    ):
        raise Unreadable("a time of the day with more than its hours and minutes")
    return Ratio(tuple(read_quantity(part) for part in parts))


def read_quantity(tokens: list[Token], *, nouns: bool = False) -> Quantity:
    """A formula and its unit, to the last token. nouns: whether a pair is what is counted rather than two."""
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
    smallest = 100 if rest and rest[0].text == "(" else 12 if nouns else 0
    while words and (size := _multiplier(words[0])) is not None and size >= smallest:
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
        whole = sum_of_units((quantity, read_quantity(rest[following:])))  # 2 hours 30 minutes
        if not isinstance(whole, Quantity):
            raise Unreadable("a second number")
        return whole
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
