r"""The tokens of a formula, and their structure: brackets, and what stands between separators."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from o1_assets.problems.bounds import LONGEST_NUMBER

MOST_TOKENS = 1_500


class Unreadable(ValueError):
    """The text is no formula that is understood here, or one that is too large."""


@dataclass(frozen=True)
class Token:
    r"""kind: "number", "symbol" (a letter), "word", "command" (such as \frac), or "mark" (one other character).

    start: where the token begins in the text. spaced: whether white space stands before it.
    """

    kind: str
    text: str
    start: int
    spaced: bool = False


# fmt: off
FUNCTIONS = frozenset([
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "log", "ln", "lg", "exp",
])


GREEK = frozenset([
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega", "Gamma", "Delta",
    "Theta", "Lambda", "Xi", "Sigma", "Phi", "Psi", "Omega", "ell", "hbar",
])


# Functions and constants that are written without a backslash.
_NAMES = FUNCTIONS | {"pi", "sqrt", "infty", "inf", "infinity"}


DECORATIONS = frozenset(["vec", "hat", "bar", "overline", "tilde", "overrightarrow", "widehat", "dot"])


_TOKEN = re.compile(
    r"(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE](?:[+-]?\d+)(?![A-Za-z\d.]))?)"
    r"|(?P<letters>[A-Za-z]+)"
    r"|(?P<command>\\(?:[A-Za-z]+|.))"
    r"|(?P<mark>\S)"
)


# Letters of Latin beyond ASCII, of Cyrillic, Armenian, Hebrew, Arabic and Georgian. Greek ones are symbols.
_LETTERS = (
    "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u0218-\u021b\u1e00-\u1eff\u0400-\u052f\u0561-\u0587"
    "\u05d0-\u05ea\u0620-\u064a\u0671-\u06d3\u10d0-\u10ff"
)


_ANY_TOKEN = re.compile(_TOKEN.pattern.replace("(?P<letters>[A-Za-z]+)", f"(?P<letters>[{_LETTERS}]+)"))


_REPEATING = re.compile(r"\s*\\(?:overline|dot|bar)(?![A-Za-z])")


_CONTINUED = re.compile(r"\s*[-+*/^)]")


_ONLY_FLOAT = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+\s*")


# Letters that name a function before a bracket: f(x + y) is not fx + fy.
APPLIED = frozenset("fgFGT")


_ROMAN = re.compile("[IVX]{2,}")


_PRODUCT_LETTERS = frozenset("abcxyz")


def tokenize(text: str, is_word: Callable[[str], bool]) -> list[Token]:
    r"""Tokens of a text, \text{...} and the like unwrapped: the letters in it are words, one letter too.

    is_word: tells of two letters whether they are a word, such as "cm", or two symbols, such as "xy". Raises
    Unreadable where there are too many tokens.
    """
    tokens: list[Token] = []
    position = end = 0
    words_end, roman = -1, False
    dropped: set[int] = set()
    pattern = _TOKEN if text.isascii() else _ANY_TOKEN
    while match := pattern.search(text, position):
        kind, part, start = str(match.lastgroup), match[0], match.start()
        spaced, position = start > end, match.end()
        if kind == "number":
            part, position = _digits(text, match)
            tokens.append(Token(kind, part, start, spaced))
        elif kind == "letters" and not part.isascii():
            # One such letter is neither a unit nor a symbol that formulas here have.
            tokens.append(Token("word" if len(part) > 1 else "mark", part, start, spaced))
        elif kind == "letters" and start < words_end and not (roman and part in "ie") and part not in _NAMES - {"sec"}:
            tokens.append(Token("word", part, start, spaced))
        elif kind == "letters":
            tokens += _letters(part, start, spaced, is_word)
        elif kind == "command" and part[1:] in _TEXT_COMMANDS:
            opening = re.compile(r"\s*\{").match(text, position)
            if opening is None:
                raise Unreadable(f"{part} without braces")
            position = opening.end()
            words_end = closing_brace(text, position)
            # \mathrm{e} is Euler's number, printed upright; \mathrm{m} is a unit.
            roman = part == "\\mathrm"
            if tokens and tokens[-1].text in ("_", "^"):
                tokens.append(Token("mark", "{", position - 1, spaced))
            else:
                # Without its braces, "x = 1 \text{ or } x = 2" is split like any list.
                dropped.add(words_end)
        elif start not in dropped:
            tokens.append(Token(kind, part, start, spaced))
        end = position
        if len(tokens) > MOST_TOKENS:
            raise Unreadable("too many symbols")
    return tokens


def _digits(text: str, match: re.Match[str]) -> tuple[str, int]:
    """The number that begins at a match, as it is read, and where it ends."""
    part, end = match[0], match.end()
    if part.endswith(".") and not _REPEATING.match(text, end):
        # "5." ends a sentence; in "-1./3" the point belongs to the number.
        part = part[:-1]
        end -= not _CONTINUED.match(text, end)
    elif re.search("[eE]", part) and not _is_float(text, match):
        part = re.split("[eE]", part)[0]
        end = match.start() + len(part)
    if len(part) > LONGEST_NUMBER:
        raise Unreadable("a number is too long")
    return part, end


_TEXT_COMMANDS = frozenset(["text", "mathrm", "textrm", "mbox", "operatorname", "hbox", "textnormal"])


def _is_float(text: str, match: re.Match[str]) -> bool:
    """Whether 1e20 is a number as a program writes it, and no product with Euler's number."""
    # "2e-1" beside LaTeX is twice e, minus one; alone, or among words, it is 0.2, and 2e30 is a number anywhere.
    rest = text[: match.start()] + text[match.end() :]
    certain = re.search(r"[eE](?:\d+|[+-]\d\d+)$", match[0]) is not None
    return _ONLY_FLOAT.fullmatch(text) is not None or not re.search(
        r"\be\b|\^" if certain else r"\\|\be\b|\^", rest
    )


def _letters(run: str, start: int, spaced: bool, is_word: Callable[[str], bool]) -> Iterator[Token]:
    if run in _NAMES:
        name = "infty" if run.startswith("inf") else run
        yield Token("command", "\\" + name, start, spaced)
    elif len(run) > 1 and (
        is_word(run.lower())
        or _ROMAN.fullmatch(run)
        or len(run) > 3
        or (len(run) == 3 and not set(run) <= _PRODUCT_LETTERS)
    ):
        # The letters of a word are no product: "silent" is not "listen".
        yield Token("word", run, start, spaced)
    else:
        for offset, letter in enumerate(run):
            yield Token("symbol", letter, start + offset, spaced and not offset)


def closing_brace(text: str, begin: int) -> int:
    """Where the brace that was opened just before `begin` is closed. Raises Unreadable if it is not."""
    depth, position = 1, begin
    while position < len(text):
        if text[position] == "\\":
            position += 1
        else:
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            if depth == 0:
                return position
        position += 1
    raise Unreadable("a brace is not closed")


def trimmed(tokens: list[Token]) -> list[Token]:
    """Without braces around all of it, and punctuation at its end."""
    while tokens and tokens[-1].kind == "mark" and tokens[-1].text in ".,;":
        tokens = tokens[:-1]
    while len(tokens) > 1 and tokens[0].text == "{" and closer(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def balanced(tokens: list[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += (token.text == "{") - (token.text == "}")
        if depth < 0:
            return False
    return depth == 0


_OPENING = frozenset(["(", "[", "{", "\\{", "\\langle", "\\begin"])


_CLOSING = frozenset([")", "]", "}", "\\}", "\\rangle", "\\end"])


def closer(tokens: list[Token], start: int) -> int:
    """The index of the bracket that closes the one at start; -1 if none does."""
    depth = 0
    for index in range(start, len(tokens)):
        if tokens[index].kind in ("mark", "command"):
            depth += (tokens[index].text in _OPENING) - (tokens[index].text in _CLOSING)
            if depth == 0:
                return index
    return -1


def split(tokens: list[Token], separators: Iterable[str]) -> tuple[list[list[Token]], list[str]]:
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
