r"""Final answers as values: a number with its unit, a list, a tuple, an interval, a matrix, an equation, a word.

`read_answer` turns what a data set or a solver wrote into values that `grading` compares. An answer may be meant in
two ways ("100,200,300" is a number or a list), so there may be several. What is not understood stays a text, which
equals the same text only: it is better to refuse a right answer than to reward a wrong one.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from o1_assets.problems.answers.formula import (
    FormulaReader,
    Tree,
    decimals_of,
    is_proper_fraction,
    symbols_of,
)
from o1_assets.problems.answers.formula_equality import equal, nearly_equal
from o1_assets.problems.answers.quantities import (
    letter_unit,
    read_based,
    read_quantity,
    read_ratio,
    signs,
    sum_of_units,
)
from o1_assets.problems.answers.real_sets import (
    FLIPPED,
    REALS,
    as_set,
    between,
    combined,
    complement,
    half_line,
    intersection,
    outside,
    solved,
)
from o1_assets.problems.answers.text import CURRENCY, clean, variants
from o1_assets.problems.answers.tokens import (
    DECORATIONS,
    GREEK,
    Token,
    Unreadable,
    balanced,
    closer,
    split,
    tokenize,
    trimmed,
)
from o1_assets.problems.answers.units import (
    MULTIPLIERS,
    NO_UNITS,
    SHORT_UNITS,
    Unit,
)
from o1_assets.problems.answers.values import (
    EXPRESSION,
    MOST_ITEMS,
    Brackets,
    Collection,
    Infinite,
    Interval,
    Matrix,
    Named,
    Quantity,
    RealSet,
    Relation,
    Text,
    Value,
)
from o1_assets.problems.bounds import LONGEST_ANSWER


@lru_cache(maxsize=1_024)  # of more, the garbage collector takes .4 s to look through all trees
def read_answer(text: str) -> tuple[Value, ...]:
    """All that the answer may mean; none where it is empty, too long, or its braces do not match.

    >>> read_answer("3/4") == read_answer("$3/4$"), len(read_answer("100,200,300"))
    (True, 2)
    """
    if len(text) > LONGEST_ANSWER:
        return ()
    readings: list[Value] = []
    with suppress(Unreadable, RecursionError):
        for variant in variants(clean(text)):
            tokens = trimmed(tokenize(variant, SHORT_UNITS.__contains__))
            if not balanced(tokens):
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
            tokens = trimmed(tokenize(text, SHORT_UNITS.__contains__))
            reader = FormulaReader([t for t in tokens if t.text not in CURRENCY])
            with suppress(Unreadable, IndexError):  # the unit may be a sign in front: $5
                reader.sum()
                unit = reader.tokens[reader.position]
                forms.append(_BEFORE_UNIT.sub("", text[: unit.start]))
    return forms


_BEFORE_UNIT = re.compile(r"(?:\\(?:text|mbox|mathrm|textrm|textnormal)|[\s{(^])*$")


def _letters_only(tokens: list[Token]) -> bool:
    """Whether the answer may be a choice or a name rather than a product of symbols: C, (C), AB."""
    return all(token.kind in ("symbol", "word") or token.text in "()" for token in tokens)


def _key(tokens: list[Token]) -> str:
    """The text by which answers are compared that are not understood: without spaces, and without case in words."""
    if len(tokens) == 3 and (tokens[0].text, tokens[2].text) == ("(", ")"):
        tokens = tokens[1:2]  # the choice (C)
    # \mathbb{R}^{3} is \mathbb R^3, but x^{n+1} is not x^n+1.
    single = {
        i for i, t in enumerate(tokens) if t.text == "{" and [u.text for u in tokens[i + 2 : i + 3]] == ["}"]
    }
    tokens = [t for i, t in enumerate(tokens) if i not in single and i - 2 not in single]
    parts: list[str] = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        letters = token.kind in ("word", "symbol")
        if token.text == "." and before is not None and before.kind in ("word", "symbol"):
            continue
        # AB and ab are names of different lines, but words are the same at the beginning of a sentence.
        name = len(token.text) == 1 or (len(token.text) == 2 and token.text.lower() not in SHORT_UNITS)
        text = token.text.casefold() if token.kind == "word" and not name else token.text
        if letters and not token.spaced and before is not None and before.kind == token.kind == "symbol":
            parts[-1] += text
        else:
            parts.append(text)
    # The tokens are kept apart: "1 2" is not "12".
    return " ".join(parts)


_RELATIONS = {"=": "=", "<": "<", ">": ">", "\\le": "\\le", "\\ge": "\\ge", "\\ne": "\\ne", "\\in": "\\in",
              "\\approx": "\\approx", "\\lt": "<", "\\gt": ">", "\\equiv": "="}  # fmt: skip
_ABOUT = frozenset(["about", "approximately", "approx", "roughly", "only", "exactly"])


def _several(tokens: list[Token]) -> list[Value]:
    """Readings of an answer that may be a list."""
    tokens = _isolated(tokens)
    parts, separators = split(tokens, (",", ";", "and", "or"))
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
    if any(token.text == "\\ne" for token in parts[0]) and isinstance(items[0], RealSet):
        variable = items[0].variable  # x \ne 2, -2
        items = [RealSet(outside([i]), variable) if isinstance(i, Quantity) else i for i in items]
    names = {item.name for item in items if isinstance(item, Named)}
    if "or" in separators and len(names) > 1:
        raise Unreadable("x = 1 or y = 2")
    both = combined(items, separators)
    if both is None and "or" in separators and any(isinstance(item, RealSet | Relation) for item in items):
        raise Unreadable("conditions on several symbols, of which one holds")
    readings: list[Value] = [Collection(tuple(items)) if both is None else both]
    if set(separators) <= {"and", ","} and (whole := sum_of_units(items)) is not None:
        readings.append(whole)
    match items, separators:
        case [Quantity(("number", number, _), None, False), Quantity(tree, None, False)], ["and"]:
            if is_proper_fraction(tree) and number.denominator == 1:
                readings.append(Quantity(("number", number + tree[1][1] / tree[2][1], None)))  # 3 and 1/2
    return readings


def _has_signs(part: list[Token]) -> bool:
    r"""Whether it is two values that are written as one, as \pm 1 is, and no set of its own."""
    return part[0].text != "\\{" and any(token.text in ("\\pm", "\\mp") for token in part)


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
        return _item(trimmed(part))[0]
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
    tokens = trimmed(tokens)
    while tokens and tokens[0].kind == "word" and tokens[0].text.lower() in _ABOUT:
        tokens = tokens[1:]
    head = "".join(token.text for token in tokens[:3])
    if re.fullmatch(r"\([A-F]\)", head) and len(tokens) > 3 and tokens[3].kind == "number":
        return [Named(head, value) for value in _values(tokens[3:])]  # a choice with its value: (C) 12
    sides, operators = split(tokens, _RELATIONS)
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
    tokens = trimmed(tokens)
    if not tokens:
        raise Unreadable("nothing is written")
    for read in (_special, _brackets, _union, _matrix, read_based, read_ratio):
        value = read(tokens)
        if value is not None:
            return [value]
    if any(token.text in ("\\pm", "\\mp") for token in tokens):
        return [Collection(tuple(read_quantity(signed) for signed in signs(tokens)))]
    readings: list[Value] = [read_quantity(tokens)]
    if (lettered := letter_unit(tokens)) is not None:
        words, attached = lettered
        with suppress(Unreadable):
            readings.append(replace(read_quantity(words), guessed=True, attached=attached))
    if any(token.kind == "word" and token.text.lower() in MULTIPLIERS for token in tokens):
        with suppress(Unreadable):
            # Quarters are coins as well, and pairs may be what is counted, but not beside a bare gold number.
            noun = replace(read_quantity(tokens, nouns=True), attached=True)
            readings += [noun] if noun.unit else []
    if (noun_tokens := _bracketed_unit(tokens)) is not None:
        with suppress(Unreadable):
            readings.append(replace(read_quantity(noun_tokens), attached=True))
    return readings


def _bracketed_unit(tokens: list[Token]) -> list[Token] | None:
    """The tokens of 7 (m) or 288 (t-shirts), the letters in the brackets as words."""
    opening = tokens[1] if len(tokens) > 3 else None
    if opening is None or tokens[0].kind != "number" or opening.text != "(" or tokens[-1].text != ")":
        return None
    letters = all(t.kind in ("symbol", "word") or t.text == "-" for t in tokens[2:-1])
    if not opening.spaced or not letters:
        return None
    return [Token("word", t.text, t.start, t.spaced) if t.kind == "symbol" else t for t in tokens]


def _special(tokens: list[Token]) -> Value | None:
    texts = [token.text for token in tokens]
    if texts[-1] == "\\infty" and len(texts) <= 2 and texts[0] in ("\\infty", "+", "-"):
        return Infinite(texts[0] == "-")
    if texts == ["\\emptyset"]:
        return Collection(())
    if texts == ["\\reals"]:
        return REALS
    words = " ".join(texts).lower()
    if words in ("all real numbers", "all reals", "all real"):
        return REALS
    return Collection(()) if words in ("no solution", "no solutions", "empty set") else None


def _brackets(tokens: list[Token]) -> Value | None:
    opening = tokens[0].text
    if opening not in ("(", "[", "\\{", "\\langle") or closer(tokens, 0) != len(tokens) - 1:
        return None
    inside = tokens[1:-1]
    if opening == "\\{":
        return _set(inside)
    parts, _ = split(inside, (",", ";"))
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
    condition, marks = split(inside, ("|", ":"))
    head = [token.text for token in condition[0]]
    if marks and len(condition) == 2 and (len(head) == 1 or head[1:] == ["\\in", "\\reals"]):
        # {x | x > 3}
        value = _several(condition[1])[0]
    else:
        value = _several(inside)[0]
        several = len(split(inside, (",", ";", "and", "or"))[0]) > 1 or _has_signs(inside)
        if isinstance(value, Collection) and not several:
            return Collection((value,), is_set=True)
    if isinstance(value, RealSet):
        return value
    return replace(value, is_set=True) if isinstance(value, Collection) else Collection((value,), is_set=True)


def _union(tokens: list[Token]) -> Value | None:
    parts, separators = split(tokens, ("\\cup", "\\setminus"))
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
                outside = intersection(outside, complement(interval))
            result = list(outside.intervals)
    return RealSet(tuple(result))


_MATRICES = frozenset(["pmatrix", "bmatrix", "Bmatrix", "matrix", "smallmatrix", "array"])
_SYSTEMS = frozenset(["cases", "aligned", "align", "gathered", "array", "align*"])


def _matrix(tokens: list[Token]) -> Value | None:
    if tokens[0].text in ("(", "[") and closer(tokens, 0) == len(tokens) - 1 and len(tokens) > 2:
        tokens = tokens[1:-1]
    start = next((i for i, t in enumerate(tokens) if t.text == "\\begin"), -1)
    if start > 0 and tokens[-1].text in (")", "]", "}"):
        return _scaled(tokens, start - (tokens[start - 1].text in ("(", "[")))
    if start or closer(tokens, 0) < 0:
        return None
    name_end = next((i for i, t in enumerate(tokens) if t.text == "}"), 0)
    name = "".join(t.text for t in tokens[2:name_end])
    end = next((i for i in range(len(tokens) - 1, 0, -1) if tokens[i].text == "\\end"), 0)
    if "".join(t.text for t in tokens[end + 2 : -1]) != name:
        raise Unreadable("an environment is not closed")
    lines, _ = split(tokens[name_end + 1 : end], ("\\cr",))
    if lines and not lines[-1]:
        lines = lines[:-1]
    rows = [split(line, ("&",))[0] for line in lines]
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
    factor, matrix = read_quantity(tokens[:start]), _matrix(tokens[start:])
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


_LINE = r"[A-Z]{1,4}(?:_(?:\w|\{\w+\}))?"
# AB, |AB|, V_1:V_2
_LINES = re.compile(rf"{_LINE}|\|{_LINE}\||{_LINE}:{_LINE}|\\frac\{{{_LINE}\}}\{{{_LINE}\}}")


def _name(tokens: list[Token]) -> str | None:
    """The symbol, f(x) or tuple of symbols that stands for a value; "" for words; None for anything else."""
    tokens = trimmed(tokens)
    if not tokens:
        return None
    kinds = {token.kind for token in tokens}
    shapes = {"\\angle", "\\triangle"}
    plain = all(
        t.kind in ("word", "symbol", "mark") or t.text in shapes or t.text[1:] in GREEK for t in tokens
    )
    if "word" in kinds and plain:
        return None if any(token.text.lower() in NO_UNITS for token in tokens) else ""
    texts = [token.text for token in tokens]
    if _LINES.fullmatch(joined := "".join(texts)) and len(tokens) > 1:
        return joined
    if texts[0] in ("\\angle", "\\triangle") and kinds <= {"command", "symbol"}:
        return ""
    if texts[0][1:] in DECORATIONS and len(texts) > 3 and {t.kind for t in tokens[2:-1]} == {"symbol"}:
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
        quantity = read_quantity(tokens)
        return None if quantity.percent or quantity.unit else quantity.tree
    except Unreadable:
        return None


def _chain(sides: list[list[Token]], operators: list[str]) -> list[Value]:
    """What 2+3 = 5 or 5 = 2+3 says: its value, if it is true. An approximation may be meant by either side."""
    quantities = [read_quantity(side) for side in sides]
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
        # \pi \approx 3.14 may be meant by either side, but 0.06 is not answered by 0.1.
        return [quantities[0]] if decimals_of(trees[0]) else [last, quantities[0]]
    return [last]


def _inequality(sides: list[list[Token]], operators: list[str]) -> Value:
    trees = [_tree(side) for side in sides]
    names = [_name(side) or "" for side in sides]
    if len(sides) == 2:
        reversed_bars = (
            trees[1] is not None and trees[1][0] == "abs" and trees[0] and not symbols_of(trees[0])
        )
        if (names[1] and not names[0]) or reversed_bars:
            sides, operators = sides[::-1], [FLIPPED[operators[0]]]
            names, trees = names[::-1], trees[::-1]
        bound = _bound(sides[1])
        if names[0] and bound is not None and not (isinstance(bound, Quantity) and symbols_of(bound.tree)):
            return RealSet(half_line(operators[0], bound), names[0])
        if operators[0] == "\\ne" and (points := _points(sides[1])):
            return RealSet(outside(points), names[0])
        left, right = trees
        if left is None or right is None:
            raise Unreadable("a side of an inequality is no formula")
        operator = operators[0]
        if left[0] == "abs" and not symbols_of(right) and operator != "\\ne":
            return between(operator, left[1], right)
        difference: Tree = ("+", left, ("-", right))
        if operator in (">", "\\ge"):
            operator, difference = FLIPPED[operator], ("-", difference)
        return solved(operator, difference) or Relation(operator, difference)
    low, high = _bound(sides[0]), _bound(sides[-1])
    if len(sides) == 3 and names[1] and low is not None and high is not None:
        if set(operators) <= {">", "\\ge"}:
            low, high, operators = high, low, [FLIPPED[o] for o in operators[::-1]]
        if set(operators) <= {"<", "\\le"}:
            closed = [o == "\\le" for o in operators]
            return RealSet((Interval(low, high, closed[0], closed[1]),), names[1])
    raise Unreadable("a chain of inequalities that is not understood here")


def _points(tokens: list[Token]) -> list[Quantity]:
    r"""The values of \pm 2; none where it is anything else."""
    value = _values(tokens)[0]
    items = value.items if isinstance(value, Collection) else ()
    points = [item for item in items if isinstance(item, Quantity)]
    return points if len(points) == len(items) else []


def _bound(tokens: list[Token]) -> Quantity | Infinite | None:
    value = _values(tokens)[0]
    return value if isinstance(value, Quantity | Infinite) else None
