"""Which answers are too large to be read. They are wrong, before any parser sees them and on every machine alike."""

from __future__ import annotations

import re

LONGEST_ANSWER = 2_000
"""Characters of a formula. No problem's answer is longer."""

LONGEST_NUMBER = 1_000
"""Digits that are written out."""

DEEPEST = 30
"""Brackets within brackets, or commands that follow each other without any: \\sqrt\\sqrt\\sqrt x."""

DEEPEST_EXPONENT = 3
"""Exponents within exponents."""

# Control characters, halves of a surrogate pair, and long numbers.
_REFUSED = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\d{{{LONGEST_NUMBER + 1}}}")
_REFUSED_FORMULA = re.compile(
    rf"""
      (?:\\[A-Za-z]+\s?){{{DEEPEST + 1}}}
    | (?:[-+~!^]\s?){{9}}
    | [0-9][eE][-+]?0*[1-9]\d{{4}}                       # 1e10000
    | (?:\^|\*\*)[\s{{(]{{0,3}}[-+]?0*[1-9]\d{{5}}       # x^{{100000}}
    | (?:(?:\^|\*\*)\s?-?(?:\d+|\\?[A-Za-z]+)\s?){{{DEEPEST_EXPONENT + 1}}}
    | [²³¹⁰-⁹]{{6}}
    | [1-9]\d{{4}}[\s)}}]{{0,3}}!                        # 10000!
    | (?:![\s)}}]{{0,3}}){{3}}
    """,
    re.VERBOSE,
)

_BRACKET = re.compile(r"(?P<exponent>(?:\^|\*\*)\s?)?(?P<opening>[({\[])|[)}\]]")


def too_large(text: str, formula: bool = True) -> bool:
    r"""Whether it could take long to read the text. This itself takes under a millisecond.

    formula: whether it is meant as one; 0x176e123456 would be too large as a formula.

    >>> too_large("2^{100}"), too_large("2004!"), too_large("9^{9^{9^{9^{9}}}}"), too_large("x^{123456789}")
    (False, False, True, True)
    """
    refused = _REFUSED.search(text) or (formula and _REFUSED_FORMULA.search(text))
    return bool(refused) or _nested_too_deeply(text)


def _nested_too_deeply(text: str) -> bool:
    exponents = [0]  # for each open bracket the exponents that it stands in
    for match in _BRACKET.finditer(text):
        if match["opening"]:
            exponents.append(exponents[-1] + (match["exponent"] is not None))
            if len(exponents) > DEEPEST + 1 or exponents[-1] > DEEPEST_EXPONENT:
                return True
        elif len(exponents) > 1:
            exponents.pop()
    return False
