from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1_assets.core.prompt_format import PromptFormat, extract_answer


@pytest.mark.parametrize(
    ("text", "prefix", "answer"),
    [
        ("3*4=12\n12-5=7\nanswer 7\n", "answer", "7"),
        ("answer 7\nwait 3*4=12\nanswer -8", "answer", "-8"),
        ("answer: 7", "answer", "7"),
        ("  answer 7  ", "answer ", "7"),
        ("answers 7", "answer", None),
        ("the answer 7", "answer", None),
        ("answer", "answer", None),
        ("", "answer", None),
        ("3*4=12", "answer", None),
        ("so 18\n#### 18", "####", "18"),
        ("####18", "####", "18"),
        (r"thus \boxed{\frac{1}{2}}.", r"\boxed", r"\frac{1}{2}"),
        (r"\boxed{1} or \boxed{2}", r"\boxed", "1, 2"),
        (r"\boxed{1} or \boxed{2", r"\boxed", None),
        (r"\boxed{}", r"\boxed{", None),
        ("no box", r"\boxed", None),
    ],
)
def test_the_last_marked_answer_counts(text: str, prefix: str, answer: str | None) -> None:
    assert extract_answer(text, prefix) == answer


@given(st.text(), st.sampled_from(["answer", "####", "\\boxed"]))
def test_any_text_is_read_without_an_error(text: str, prefix: str) -> None:
    answer = extract_answer(text, prefix)
    assert answer is None or (answer and answer.split(", ")[0] in text)


@pytest.mark.parametrize(
    "text", ["answer " * 150_000, "\\boxed{" * 150_000, "\n" * 1_000_000, "\\boxed{" + "{}" * 500_000]
)
def test_a_million_characters_are_read_in_a_second(text: str) -> None:
    start = time.process_time()  # CPU time: other programs slow the clock's
    for prefix in ("answer", "####", "\\boxed"):
        extract_answer(text, prefix)
    assert time.process_time() - start < 2


def test_a_question_full_of_braces_is_asked_as_it_is() -> None:
    prompt = PromptFormat(template="in \\boxed{}: {question}\n", answer_prefix="\\boxed")
    assert prompt.render("what is \\frac{1}{2}?") == "in \\boxed{}: what is \\frac{1}{2}?\n"


@pytest.mark.parametrize(
    ("prefix", "start"), [("answer", "answer "), ("####", "#### "), ("\\boxed", "\\boxed{")]
)
def test_an_answer_that_is_forced_can_be_read(prefix: str, start: str) -> None:
    prompt = PromptFormat(answer_prefix=prefix)
    assert prompt.answer_start == start
    assert prompt.answer(start + "7" + "}" * start.endswith("{")) == "7"
