"""What makes two questions the same problem, whatever their wording.

For arithmetic it is the expression alone. For any other text it is its words and symbols, without case, spacing,
closing punctuation or the choice among Unicode forms.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from o1_assets.problems.expression import Expression

# Hyphens and dashes, signs and quotes that NFKC keeps apart.
_SAME = str.maketrans({**dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014", "-"), "×": "*", "·": "*", "÷": "/",
                       **dict.fromkeys("\u2018\u2019", "'"), **dict.fromkeys("\u201c\u201d", '"')})  # fmt: skip

# The wordings of reasoning_gym's generators of arithmetic, and those that people use.
_ASK = re.compile(
    r"(please )?(calculate|compute|evaluate|solve|simplify|find|determine|state|give|work out|what is|what's)?"
    r"( the)?( final)?( (answer|result|value))?( to| of| for)?( the)?( following)?"
    r"( (arithmetic|multiplication|addition|subtraction))*( (problem|expression))?\s*:?\s*"
)

_GIVE_ONLY = re.compile(r"\s*give only the (result|answer) as your final answer\.?$")
_ARITHMETIC = re.compile(r"[-(\s]*\d[-+*/().\d\s]*")
# "1 2" is two numbers; without its space it would be twelve.
_SPLIT_NUMBER = re.compile(r"[\d.]\s+[\d.]")


# What NFKC writes as plain letters and digits, and so with another meaning: 10² as 102, x₁ as x1, 1½ as 11⁄2, ① as 1.
_RAISED = re.compile("[\u00b2\u00b3\u00b9\u02b0-\u02b8\u02e1-\u02e3\u1d2c-\u1d61\u2070-\u207f]+")
_LOWERED = re.compile("[\u1d62-\u1d6a\u2080-\u209c]+")
_CIRCLED = re.compile("[\u2460-\u2473\u24ea]")
_UNITS = re.compile("[\u3380-\u33ff]")  # such as ㎡, one letter for "m²"
_FRACTIONS = "\u00bc-\u00be\u2150-\u215f\u2189\u2488-\u249b"
_BESIDE_DIGIT = re.compile(rf"(?<=\d)(?=[{_FRACTIONS}])|(?<=[{_FRACTIONS}])(?=\d)")


def normalise(text: str) -> str:
    """The text without what does not count: case, spacing, Unicode forms, and punctuation at the end."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _with_marks(text)).translate(_SAME)
    return _without_end(" ".join(text.casefold().split()))


def _with_marks(text: str) -> str:
    """The text with a mark wherever NFKC would change the meaning: 10^² for 10², x_₁ for x₁, (①) for ①."""
    text = _UNITS.sub(lambda unit: _parts(unit[0]), text)
    text = _LOWERED.sub(r"_\g<0>", _RAISED.sub(r"^\g<0>", text))
    return _BESIDE_DIGIT.sub(" ", _CIRCLED.sub(r"(\g<0>)", text))


def _parts(letter: str) -> str:
    _, *codes = unicodedata.decomposition(letter).split()
    return "".join(chr(int(code, 16)) for code in codes) or letter


def _without_end(text: str) -> str:
    """Without the punctuation at its end; after a digit or a bracket, "!" is a factorial."""
    content = text.rstrip(" .?!:;=")
    end = text[len(content) :]
    return (
        content + "!" * (len(end) - len(end.lstrip("!")))
        if content[-1:] in tuple("0123456789)]}")
        else content
    )


def arithmetic(question: str) -> str | None:
    """The expression, without spaces, if asking for its value is all the question does; else None.

    >>> arithmetic("What is 3 × 4 - 5?")
    '3*4-5'
    """
    text = _without_end(_GIVE_ONLY.sub("", normalise(question)))
    asked = _ASK.match(text)
    expression = text[asked.end() :] if asked else text
    if not _ARITHMETIC.fullmatch(expression) or _SPLIT_NUMBER.search(expression):
        return None
    bare = "".join(expression.split())
    return bare if re.search(r"[\d)][-+*/]", bare) else None


def canonical(question: str) -> str:
    """The content by which problems are deduplicated, split and identified."""
    return arithmetic(question) or normalise(question)


def flat_expression(content: str) -> Expression | None:
    """The expression of integers joined by + - * that this canonical content is, if it is one."""
    try:
        return Expression.parse(content)
    except ValueError:
        return None


def content_hash(content: str) -> str:
    """64 hex digits. The first 16 name the problem, the next 16 decide its side of the split."""
    # surrogatepass: a file of problems may hold a lone surrogate, which is still a text with a hash.
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def problem_id(content: str) -> str:
    return content_hash(content)[:16]


def side(content: str, test_fraction: float) -> str:
    """The side of the split, "test" or "train", by content alone."""
    # A random split would move problems to the other side when the source grows or is read in another order, and a
    # model that was trained before would have seen the test.
    return "test" if int(content_hash(content)[16:32], 16) < test_fraction * 2**64 else "train"
