"""reasoning_gym's arithmetic computed again: what is right stays, what is wrong is corrected or left out."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1_assets.problems.config import Generator, ReasoningGymSource
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem
from o1_assets.problems.reasoning_gym_source import ReasoningGymProblems
from o1_assets.problems.recompute import Doubtful, exact_value, right_answer

expressions = st.recursive(
    st.integers(0, 999).map(str)
    | st.from_regex(r"[0-9]{1,3}\.[0-9]{1,4}", fullmatch=True).map(lambda t: t.lstrip("0") or "0"),
    lambda inner: (
        st.tuples(inner, st.sampled_from([" + ", "-", "*", " / ", "- -"]), inner).map("".join)
        | inner.map("({})".format)
        | inner.map("-( {} )".format)
    ),
)


def by_python(expression: str) -> Fraction:
    """Python's own arithmetic, with every number as a fraction."""
    return eval(re.sub(r"[\d.]+", r"Fraction('\g<0>')", expression), {"Fraction": Fraction}) * Fraction(1)


@settings(max_examples=30)
@given(expressions)
def test_a_value_is_exact(expression: str) -> None:
    try:
        expected = by_python(expression)
    except ZeroDivisionError:
        with pytest.raises(ZeroDivisionError):
            exact_value(expression)
    else:
        assert exact_value(expression) == expected


@pytest.mark.parametrize(
    "text",
    ["1+" * 5000 + "1", "(" * 500 + "1" + ")" * 500, "2**99999999999", "2**.5", "1//2", "1e5", "1 2", "(2)(3)", "",
     "9**9**9", "__import__('os')", "x", "007"],
)  # fmt: skip
def test_what_is_no_arithmetic_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(Doubtful):
        exact_value(text)


def entry(answer: str, question: str = "", **metadata: Any) -> dict[str, Any]:
    return {"question": question, "answer": answer, "metadata": metadata}


DIGITS = "Please solve this problem to a maximum of 12 significant digits, rounding up from the half.\n{} = ?"


@pytest.mark.parametrize(
    ("generator", "item", "right"),
    [
        ("basic_arithmetic", entry("9", expression="1 + 2 * 3"), "7"),
        ("basic_arithmetic", entry("-5", expression="-( 20 / 4 )"), "-5"),
        (
            "basic_arithmetic",
            entry("532", expression="542 + -9 + -438 / -( 953 * -340 + -324018 )"),
            "no whole number",
        ),
        ("basic_arithmetic", entry("77", expression="3 * 4 + 10 * 7 / 0"), "divides by zero"),
        ("products", entry("10**5000", expression="*".join(["9" * 900] * 9)), "cannot be computed"),
        ("decimal_chain_sum", entry("0.30000000000000004", expression="0.10 + 0.20"), "0.3"),
        ("decimal_chain_sum", entry("0.30", expression="0.10 + 0.20"), "0.30"),
        (
            "decimal_arithmetic",
            entry("4.4795042958", DIGITS.format("(1.548/(1.279*0.713)+9.525)-6.743")),
            "4.47950429585",
        ),
        ("decimal_arithmetic", entry("25.413", DIGITS.format("(6.469+((8.780+9.549)+0.615))")), "25.413"),
        ("decimal_arithmetic", entry("1.0", "Round 2/2 = ?"), "not the one that is known"),
        ("simple_equations", entry("13", equation="840*k = 10920", variable="k"), "13"),
        ("simple_equations", entry("12", equation="5 - 2*k = k - 10", variable="k"), "5"),
        ("simple_equations", entry("83", equation="0 = 0", variable="i"), "no single answer"),
        ("simple_equations", entry("2", equation="k*k = 4", variable="k"), "no single answer"),
        ("power_function", entry("4.0", base=-2.0, exponent=2), "two ways"),
        ("power_function", entry("-8.0", base=-2.0, exponent=3), "-8.0"),
    ],
)
def test_an_answer_is_kept_corrected_or_refused(generator: str, item: dict[str, Any], right: str) -> None:
    if " " not in right:
        assert right_answer(generator, item) == right
    else:
        with pytest.raises(Doubtful, match=right):
            right_answer(generator, item)


def drawn(count: int, **parameters: Any) -> list[RawProblem | LeftOut]:
    generators = (Generator(name="basic_arithmetic", parameters=parameters),)
    return list(islice(ReasoningGymProblems(ReasoningGymSource(generators=generators)).problems(0), count))


@pytest.mark.parametrize("parameters", [{}, {"allow_parentheses": False, "max_digits": 2}])
def test_every_problem_that_is_drawn_has_the_right_answer(parameters: dict[str, Any]) -> None:
    """.8% of reasoning_gym's answers are wrong with parentheses, two thirds without."""
    items = drawn(600, **parameters)
    left_out = [item for item in items if isinstance(item, LeftOut)]
    problems = [item for item in items if isinstance(item, RawProblem)]
    for problem in problems:
        assert Fraction(problem.answer) == by_python(problem.metadata["metadata"]["expression"])
        assert problem.corrected == ("source_answer" in problem.metadata["metadata"])
    assert left_out and all("no whole number" in item.reason or "by zero" in item.reason for item in left_out)
    assert any(problem.corrected for problem in problems) == bool(parameters)
    assert len({str(item) for item in left_out}) == len(left_out)


def test_an_item_that_reasoning_gym_cannot_make_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from reasoning_gym.arithmetic.basic_arithmetic import BasicArithmeticDataset

    made = BasicArithmeticDataset.__getitem__

    def fails(self: Any, index: int) -> Any:
        return made(self, index) if index != 1 else 1 // 0

    monkeypatch.setattr(BasicArithmeticDataset, "__getitem__", fails)
    first, second, third = drawn(3, operators=["+"])
    assert isinstance(first, RawProblem) and isinstance(third, RawProblem)
    assert isinstance(second, LeftOut) and "could not make it (ZeroDivisionError" in str(second)
    monkeypatch.setattr(BasicArithmeticDataset, "__getitem__", lambda self, index: 1 // 0)
    with pytest.raises(ProblemError, match="basic_arithmetic fails with its parameters"):
        drawn(1)
