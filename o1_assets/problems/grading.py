"""Is the final answer right? `grade` never raises or hangs on any answer, and never runs code that an answer holds.

An answer to mathematics is read into a value (`answers/read.py`) and compared with the gold one
(`answers/equality.py`), in bounded work and without a clock, so that a loaded machine gives the same grades. Long
answers are compared in a process that is killed when it is late all the same: nobody has thought of all of them.
reasoning_gym's own scorers may evaluate what they read, and run there too (`grading_process.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import Any

from o1_assets.problems.answers.equality import FLOAT_DIGITS
from o1_assets.problems.bounds import LONGEST_ANSWER, too_large
from o1_assets.problems.grading_process import ask, cores
from o1_assets.problems.grading_worker import answer
from o1_assets.problems.worlds.registry import WORLDS

_EXACT = """
    acre aiw arc_1d base_conversion basic_arithmetic bf binary_alternation caesar_cipher count_bits
    count_primes course_schedule gcd isomorphic_strings largest_island lcm leg_counting letter_counting
    list_functions mahjong_puzzle maze modulo_grid number_filtering number_sequence ransom_note
    rotate_matrix rotten_oranges simple_equations simple_geometry string_manipulation string_splitting
    string_synthesis syllogism word_sequence_reversal
"""

EXACT_GENERATORS = frozenset(_EXACT.split())
"""Generators whose scorer gives full marks to the stored answer's very text and to nothing else."""

_SHORT = 100
"""Characters of a gold answer and an answer that are compared in this process. There is no room in them to make that
take long or much memory; asking another process takes as long as comparing most of them."""

_SHARE = 8
"""Answers that a thread takes at once; to hand over one alone takes longer than to grade a plain one."""


def grade(grader: str, answer_given: str | None, problem_row: Mapping[str, Any]) -> bool:
    """Whether answer_given answers the problem (columns `answer` and `metadata` of problems.parquet).

    grader: "math", "reasoning_gym:<generator>" or "world:<name>". Raises ValueError for any other, whatever the answer.
    """
    kind, _, generator = grader.partition(":")
    if not (
        grader == "math"
        or (kind == "reasoning_gym" and generator)
        or (kind == "world" and generator in WORLDS)
    ):
        raise ValueError(
            f"there is no grader {grader!r}; use 'math', 'reasoning_gym:<generator>' or 'world:<name>'"
        )
    given = (answer_given or "").strip()
    gold = str(problem_row["answer"] or "")
    # Some of reasoning_gym's answers are longer: the moves of a tower of Hanoi.
    if not given or len(given) > max(LONGEST_ANSWER, 2 * len(gold)):
        return False
    if grader == "math":
        return grade_math(gold, given)
    if generator in EXACT_GENERATORS:
        # The scorer's own verdict, without a process: the samples of nano are all graded here.
        return bool(given == problem_row["answer"])
    world = WORLDS.get(generator)
    if world and (problem := world.stored(str(problem_row["metadata"]))) is not None:
        # Of countdown by the same rules as the scorer's: exactly and without a process.
        return world.solved_by(problem, given)
    # A world's own row that it cannot read is answered by nothing.
    return (
        kind != "world"
        and not too_large(given, formula=False)
        and _grade_reasoning_gym(generator, str(problem_row["metadata"]), given)
    )


def grade_all(answers: Sequence[tuple[str | None, Mapping[str, Any]]]) -> list[bool]:
    """`grade` of each (answer given, row of problems.parquet) in order, as many at once as there are processors."""
    # Samples of a problem repeat answers.
    distinct = {(answer, id(row)): (row["grader"], answer, row) for answer, row in answers}
    keys = list(distinct)

    def grade_share(share: list[tuple[str | None, int]]) -> list[bool]:
        return [grade(*distinct[key]) for key in share]

    shares = [keys[start : start + _SHARE] for start in range(0, len(keys), _SHARE)]
    with ThreadPoolExecutor(cores()) as pool:
        verdicts = chain.from_iterable((pool.map if len(shares) > 1 else map)(grade_share, shares))
        right = dict(zip(keys, verdicts, strict=True))
    return [right[answer, id(row)] for answer, row in answers]


def grade_math(gold: str, given: str) -> bool:
    """Whether `given` is mathematically the same as `gold`; a gold answer that cannot be read rewards nothing."""
    gold = gold.strip()
    if not any(c.isalnum() for c in gold) or max(len(gold), len(given)) > LONGEST_ANSWER:
        return False
    plain = same_plain_number(gold, given)
    if plain is not None:
        return plain
    if len(gold) + len(given) <= _SHORT:
        return answer("math", {"gold": gold, "given": given})
    return not too_large(given) and _same_long_answer(gold, given)


@lru_cache(maxsize=65_536)
def _same_long_answer(gold: str, given: str) -> bool:
    return ask("math", {"gold": gold, "given": given})


@lru_cache(maxsize=4_096)
def _grade_reasoning_gym(generator: str, metadata: str, given: str) -> bool:
    return ask("reasoning_gym", {"generator": generator, "entry": json.loads(metadata), "given": given})


# Plain numbers, compared without any parser of mathematics.

_DECIMAL = r"[+-]?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?"
_RATIO = r"(?P<ratio>[+-]?[0-9]+)\s*/\s*(?P<below>[0-9]+)"
_FRACTION = r"(?P<minus>-?)\\[dt]?frac\{(?P<above>-?[0-9]+)\}\{(?P<under>[0-9]+)\}"
_NUMBER = re.compile(rf"(?P<decimal>{_DECIMAL})|{_RATIO}|{_FRACTION}")
_DOLLAR = re.compile(r"^\\?\$|\\?\$$")
_LONGEST_NUMBER = 100


def parse_number(text: str) -> Fraction | None:
    r"""An integer, decimal or ratio in ASCII digits, perhaps boxed, with dollar signs or thousands commas; else None.

    >>> parse_number(r"\boxed{-\frac{1}{2}}"), parse_number("$1,234"), parse_number("1/0")
    (Fraction(-1, 2), Fraction(1234, 1), None)
    """
    if len(text) > _LONGEST_NUMBER:
        return None
    text = text.strip()
    if text.startswith("\\boxed{") and text.endswith("}"):
        text = text[7:-1]
    match = _NUMBER.fullmatch(_DOLLAR.sub("", text).strip().replace("\u2212", "-"))
    if match is None:
        return None
    below = match["below"] or match["under"]
    if below is not None:
        above = int(match["ratio"] or match["above"])
        return Fraction(-above if match["minus"] else above, int(below)) if int(below) else None
    digits = match["decimal"].replace(",", "")
    # The pattern matches "" and "." too.
    return Fraction(digits) if any(c.isdigit() for c in digits) else None


def same_plain_number(gold: str, given: str) -> bool | None:
    """Whether two plain numbers are equal; None where that does not decide, as one may be the other one rounded."""
    a, b = parse_number(gold), parse_number(given)
    if a is None or b is None:
        return None
    if a == b:
        return True
    # Neither of two fractions is rounded, nor is a short decimal the noise of a program.
    ratios = _is_ratio(gold) + _is_ratio(given)
    both_exact = ratios == 2 or (ratios == 0 and len(gold) < FLOAT_DIGITS)
    return False if a.denominator == 1 or both_exact else None


def _is_ratio(text: str) -> bool:
    return "/" in text or "frac" in text
