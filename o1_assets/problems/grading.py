"""Is the final answer right? Never raises or hangs on any answer, never runs code that an answer contains.

Plain numbers are compared exactly here. Anything else goes to math-verify or to reasoning_gym's own scorer in a
process of its own (grading_process.py): both parse with sympy, which no timeout inside a thread can interrupt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from o1_assets.problems.canonical import normalise
from o1_assets.problems.grading_process import ask
from o1_assets.problems.numbers import same_number

LONGEST_ANSWER = 2_000
"""Characters. No problem's answer is longer; what is longer is not graded but wrong."""


_EXACT = """
    acre aiw arc_1d base_conversion basic_arithmetic bf binary_alternation caesar_cipher count_bits
    count_primes course_schedule gcd isomorphic_strings largest_island lcm leg_counting letter_counting
    list_functions mahjong_puzzle maze modulo_grid number_filtering number_sequence ransom_note
    rotate_matrix rotten_oranges simple_equations simple_geometry string_manipulation string_splitting
    string_synthesis syllogism word_sequence_reversal
"""


EXACT_GENERATORS = frozenset(_EXACT.split())
"""Generators whose scorer gives full marks to the stored answer's very text and to nothing else."""


_WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|csc|log|exp|sqrt|frac|text|inf)\b)[A-Za-z]{3,}")


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
        return bool(given == problem_row["answer"])
    return _grade_reasoning_gym(generator, str(problem_row["metadata"]), given)


def grade_math(gold: str, given: str) -> bool:
    """Whether `given` is mathematically the same as `gold`; a gold answer that cannot be read rewards nothing."""
    gold = gold.strip()
    if not any(c.isalnum() for c in gold) or len(gold) > LONGEST_ANSWER:
        return False
    exact = same_number(gold, given)
    if exact is not None:
        return exact
    gold, given = _bare(gold), _bare(given)
    if _WORD.search(gold):
        # math-verify reads a word as a product of letters, and so "silent" as equal to "listen".
        return normalise(_plain(gold)) == normalise(_plain(given))
    if not (_one_piece(gold) and _one_piece(given)):
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
    text = re.sub(r"\\\$|^\$(?=[0-9.]+[^$]*$)", "", text.strip())
    if text.startswith("\\boxed{") and text.endswith("}") and _one_piece(text[7:-1]):
        text = text[7:-1].strip()
    if len(text) > 2 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def _one_piece(text: str) -> bool:
    """One formula: unable to break out of the box that it is handed over in, or to offer several answers.

    math-verify would add up a row of numbers: "7 8 9" to 24.
    """
    if _NO_FORMULA.search(text):
        return False
    depth = 0
    for c in text:
        depth += {"{": 1, "}": -1}.get(c, 0)
        if depth < 0:
            return False
    return depth == 0


def _plain(text: str) -> str:
    return re.sub(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*)\}", r"\1", text)
