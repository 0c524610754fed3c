from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from o1_assets.problems.bounds import too_large

CASES = Path(__file__).with_name("grading_cases.tsv")


@pytest.mark.parametrize(
    "answer",
    [
        "9" * 1_001,
        "1e10000",
        "1E+999999999",
        "x^{123456}",
        "x**123456",
        "10^(-999999)",
        "9^9^9^9^9",
        "9^{9^{9^{9^{9}}}}",
        "x²²²²²²",
        "12345!",
        "(12345)!",
        "5!!!",
        "((5!)!)!",
        "(" * 31,
        r"\frac{" * 31 + "1" + "}" * 31,
        r"\sqrt" * 31 + "2",
        "-" * 40 + "1",
        "1\x00",
        "1\u0085",
        "\ud800",
    ],
)
def test_what_could_take_long_is_not_read(answer: str) -> None:
    assert too_large(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "10^{20}",
        "2^{100}",
        r"\frac{1}{2^{99}}",
        "2004!",
        r"\frac{1}{2004!}",
        "(3!)!",
        "2^{2^{2^{2}}}",
        "7" * 100,
        "2004^{2005}",
        "1.5e-300",
        "e^{-x^2}",
        "x^{99999}",
        r"1+\frac{1}{" * 10 + "2" + "}" * 10,
        r"\sqrt{2+" * 12 + "2" + "}" * 12,
        r"\begin{pmatrix}" + r"\\".join(" & ".join(["-12.5"] * 10) for _ in range(10)) + r"\end{pmatrix}",
        "\\{" + ", ".join(f"({i}, {-i})" for i in range(100)) + "\\}",
        "a line\nand\tanother",
        "é 中 😀",
    ],
)
def test_what_a_gold_answer_may_hold_is_small(answer: str) -> None:
    assert not too_large(answer)


@pytest.mark.parametrize("answer", ["0x176b9e643680", "_ _ _ Q\n" * 8, "Hello!!!", "--- ---"])
def test_what_is_no_formula_may_look_like_a_large_one(answer: str) -> None:
    assert not too_large(answer, formula=False)


def test_no_gold_answer_of_the_cases_is_too_large() -> None:
    with CASES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows and not [row["gold"] for row in rows if too_large(row["gold"])]


@pytest.mark.parametrize(
    "part", ["\\", "{", ")", "^", "**", "9", "^ ", "! ", "\\sqrt", "\\a ", "9^", "1e", "- ", "²"]
)
def test_it_takes_time_in_proportion_to_the_length(part: str) -> None:
    start = time.process_time()
    for last in ("", "x", "!"):
        too_large((part * 2_000)[:1_990] + last)
    assert time.process_time() - start < 0.1
