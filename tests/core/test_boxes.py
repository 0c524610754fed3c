"""Which boxes of a solution are its final answer."""

from __future__ import annotations

import time

import pytest

from o1_assets.core.boxes import boxed_answer, boxes


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        # without braces, as a text, nested, empty, never closed
        (r"our answer is $\boxed 2$.", "2"),
        (r"$x = \boxed 12.5$ cm", "12.5"),
        (r"$\boxed\frac{1}{2}$", r"\frac{1}{2}"),
        (r"$\boxed -3.$", "-3"),
        (r"put it in \boxed and stop", None),
        (r"$= \boxed {17}.$", "17"),
        (r"\fbox{$x^2$}", "x^2"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{\left\{1\right.}", r"\left\{1\right."),
        (r"there are $\boxed{}$ primes", None),
        (r"$\boxed{\phantom{2}}$", None),
        (r"\boxed{1}, and then \boxed{2", None),
        # several that are one answer
        (r"the points $\boxed{(-2,18)}$ and $\boxed{(8,38)}$.", "(-2,18), (8,38)"),
        (r"so $k = \boxed{5}$ or $k = \boxed{-3}$.", "5, -3"),
        (r"either $\boxed{5}$ or $\boxed{-3}$", "5, -3"),
        (r"$\boxed{20},\! \boxed{21}$", "20, 21"),
        (r"$\boxed{20,\! 21}$", r"20,\! 21"),
        (r"\(\boxed{3}, \boxed{5}, \text{ and } \boxed{7}\)", "3, 5, 7"),
        (r"a &= \boxed{5 - i}, \\ b &= 1 + 2 = \boxed{11}.", "5 - i, 11"),
        # steps on the way, and the same answer once more
        (r"$\log_24=\boxed{2}$, so $\log_2(4^2) = \boxed{4}$", "4"),
        (r"The area is $\boxed{144}.$ Half of it is $\boxed{72}$.", "72"),
        (r"$x = \boxed{6}$. Solution 2: $x = 3 + 3 = \boxed{6}$", "6"),
        (r"$5^2/13=\boxed{\frac{25}{13}} = \boxed{1\frac{12}{13}}$ units", r"1\frac{12}{13}"),
        ("It is \\boxed{3}.\n\nIt is \\boxed{4}.", "4"),
    ],
)
def test_the_last_box_and_what_is_joined_to_it_is_the_answer(text: str, answer: str | None) -> None:
    assert boxed_answer(text) == answer


def test_boxes_know_where_they_are() -> None:
    text = r"\boxed{1} or $\boxed 2$"
    assert [text[box.start : box.end] for box in boxes(text)] == [r"\boxed{1}", r"\boxed 2"]


@pytest.mark.parametrize(
    "text", [r"\boxed{" * 100_000 + "}" * 100_000, r"\boxed{1}, " * 50_000, "{" * 500_000]
)
def test_hostile_text_is_read_in_time_that_grows_with_its_length(text: str) -> None:
    start = time.process_time()
    boxed_answer(text)
    assert time.process_time() - start < 2
