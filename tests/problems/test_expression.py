from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1_assets.problems.expression import Expression, apply


@st.composite
def expressions(draw: st.DrawFn) -> Expression:
    ops = draw(st.lists(st.sampled_from("+-*"), max_size=7))
    numbers = draw(st.lists(st.integers(-20, 20), min_size=len(ops) + 1, max_size=len(ops) + 1))
    return Expression(tuple(numbers), tuple(ops))


def python_value(expression: Expression) -> int:
    return int(
        eval(" ".join(f"{op}({n})" for op, n in zip(("", *expression.ops), expression.numbers, strict=True)))
    )


@given(expressions())
def test_the_value_is_that_of_the_standard_order(expression: Expression) -> None:
    assert expression.value() == python_value(expression)


@given(expressions())
def test_it_reads_back_what_it_writes_with_and_without_spaces(expression: Expression) -> None:
    assert Expression.parse(str(expression)) == expression
    assert Expression.parse(str(expression).replace(" ", "")) == expression


@given(expressions())
def test_every_legal_operation_leaves_the_value_as_it_is_and_the_standard_one_is_legal(
    expression: Expression,
) -> None:
    legal = expression.legal_indices()
    assert all(expression.reduce(i).value() == expression.value() for i in legal)
    assert not expression.ops or expression.next_index() in legal


@pytest.mark.parametrize(
    ("text", "index"),
    [("7 - 2 - 1", 1), ("7 - 2 + 1", 1), ("2 + 3 * 4", 0), ("2 * 3 + 4", 1), ("2 - 3 * 4", 0)],
)
def test_an_operation_that_would_change_the_value_is_not_legal(text: str, index: int) -> None:
    expression = Expression.parse(text)
    assert expression.reduce(index).value() != expression.value()
    assert index not in expression.legal_indices()


def test_match_names_every_place_where_an_operation_stands() -> None:
    expression = Expression.parse("2 + 2 + 2 * 3")
    assert expression.match(2, "+", 2) == [0, 1]
    assert expression.match(2, "*", 3) == [2]
    assert expression.match(3, "*", 2) == []


def test_a_wrong_result_can_be_put_in_its_place() -> None:
    assert str(Expression.parse("3 * 4 - 5").reduce(0, 13)) == "13 - 5"


@pytest.mark.parametrize("text", ["", "3 +", "(3 + 4)", "3 / 4", "3 4", "x", "3 + 4.", "3.5 + 1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an expression"):
        Expression.parse(text)


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="operator"):
        apply(1, "/", 2)
