"""Is the final answer right? `grade` never raises or hangs on any answer, and never runs code that an answer holds.

Plain numbers are compared here, exactly. Anything else goes to math-verify or to reasoning_gym's own scorer. Both
parse with sympy, which no timeout inside a thread can interrupt, so they run in a process that is killed when it is
late (`grading_process.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from o1_assets.problems.bounds import LONGEST_ANSWER, too_large
from o1_assets.problems.canonical import normalise
from o1_assets.problems.grading_process import ask

_EXACT = """
    acre aiw arc_1d base_conversion basic_arithmetic bf binary_alternation caesar_cipher count_bits
    count_primes course_schedule gcd isomorphic_strings largest_island lcm leg_counting letter_counting
    list_functions mahjong_puzzle maze modulo_grid number_filtering number_sequence ransom_note
    rotate_matrix rotten_oranges simple_equations simple_geometry string_manipulation string_splitting
    string_synthesis syllogism word_sequence_reversal
"""

EXACT_GENERATORS = frozenset(_EXACT.split())
"""Generators whose scorer gives full marks to the stored answer's very text and to nothing else."""

# Three letters or more that name no function of LaTeX: the answer is text.
_WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|csc|log|exp|sqrt|frac|text|inf)\b)[A-Za-z]{3,}")

# What could close the box that a formula is handed over in, or offers several numbers.
_NO_FORMULA = re.compile(r'boxed|\$|__|["`;]|\\$|[0-9]\s+[0-9]+(?![0-9]|\s*/)')


def grade(grader: str, answer_given: str | None, problem_row: Mapping[str, Any]) -> bool:
    """Whether answer_given answers the problem (columns `answer` and `metadata` of problems.parquet).

    grader: "math" or "reasoning_gym:<generator>". Raises ValueError for any other, whatever the answer.
    """
    kind, _, generator = grader.partition(":")
    if not (grader == "math" or (kind == "reasoning_gym" and generator)):
        raise ValueError(f"there is no grader {grader!r}; use 'math' or 'reasoning_gym:<generator>'")
    given = (answer_given or "").strip()
    if not given or len(given) > LONGEST_ANSWER:
        return False
    if grader == "math":
        return grade_math(str(problem_row["answer"] or ""), given)
    if generator in EXACT_GENERATORS:
        # The scorer's own verdict, without a process: the samples of nano are all graded here.
        return bool(given == problem_row["answer"])
    return _grade_reasoning_gym(generator, str(problem_row["metadata"]), given)


def grade_math(gold: str, given: str) -> bool:
    """Whether `given` is mathematically the same as `gold`; a gold answer that cannot be read rewards nothing."""
    gold = gold.strip()
    if not any(c.isalnum() for c in gold) or too_large(gold) or too_large(given):
        return False
    exact = same_number(gold, given)
    if exact is not None:
        return exact
    gold, given = _bare(gold), _bare(given)
    if _WORD.search(gold):
        # math-verify reads a word as a product of letters, and so "silent" as equal to "listen".
        return normalise(_plain(gold)) == normalise(_plain(given))
    if not (_one_formula(gold) and _one_formula(given)):
        return False
    return _verify(gold, given)


@lru_cache(maxsize=65_536)
def _verify(gold: str, given: str) -> bool:
    return ask("math", {"gold": gold, "given": given})


@lru_cache(maxsize=4_096)
def _grade_reasoning_gym(generator: str, metadata: str, given: str) -> bool:
    return ask("reasoning_gym", {"generator": generator, "entry": json.loads(metadata), "given": given})


def _bare(text: str) -> str:
    """Without the \\boxed{...} or $...$ that may stand around all of it."""
    text = re.sub(r"\\\$|^\$(?=[0-9.]+[^$]*$)", "", text.strip())  # $5 is an amount, not a formula
    if text.startswith("\\boxed{") and text.endswith("}") and _one_formula(text[7:-1]):
        text = text[7:-1].strip()
    if len(text) > 2 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def _one_formula(text: str) -> bool:
    """Whether this is one formula, unable to break out of the box that it is handed over in."""
    if _NO_FORMULA.search(text):
        # Several numbers are refused too: math-verify would add up a row of them, "7 8 9" to 24.
        return False
    depth = 0
    for c in text:
        depth += {"{": 1, "}": -1}.get(c, 0)
        if depth < 0:
            return False
    return depth == 0


def _plain(text: str) -> str:
    """Without the LaTeX commands around words."""
    return re.sub(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*)\}", r"\1", text)


# Plain numbers, compared without any parser of mathematics.

_DECIMAL = r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?"
_NUMBER = re.compile(rf"(?P<decimal>{_DECIMAL})|(?P<ratio>[+-]?[0-9]+)\s*/\s*(?P<below>[0-9]+)")
_LONGEST_NUMBER = 100


def parse_number(text: str) -> Fraction | None:
    """An integer, decimal or ratio in ASCII digits, perhaps with a dollar sign or thousands commas; else None."""
    if len(text) > _LONGEST_NUMBER:
        return None
    match = _NUMBER.fullmatch(text.strip().replace("\\$", "").strip("$ ").replace("\u2212", "-"))
    if match is None:
        return None
    if match["below"] is not None:
        return Fraction(int(match["ratio"]), int(match["below"])) if int(match["below"]) else None
    digits = match["decimal"].replace(",", "")
    # The pattern matches "" and "." too.
    return Fraction(digits) if any(c.isdigit() for c in digits) else None


def same_number(gold: str, given: str) -> bool | None:
    """Whether two plain numbers are equal; None where only math-verify can tell."""
    a, b = parse_number(gold), parse_number(given)
    if a is None or b is None:
        return None
    if a == b:
        return True
    # A gold answer that is no integer may have been rounded, and math-verify compares with a tolerance.
    return False if a.denominator == 1 else None
