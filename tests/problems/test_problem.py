"""What a source yields, and what of it is stored."""

from __future__ import annotations

import pytest

from o1_assets.problems.problem import (
    LeftOut,
    RawProblem,
    in_seeded_order,
    stored_solution,
    summary,
)


@pytest.mark.parametrize(
    "metadata", ['{"metadata": null, "solution": 5}', '{"metadata": "x"}', "{}", '{"solution": []}']
)
def test_a_file_s_own_columns_are_no_solution(metadata: str) -> None:
    assert stored_solution(metadata) == ""


def test_a_solution_that_is_stored_is_found() -> None:
    assert stored_solution('{"solution": "3+4=7"}') == "3+4=7"


def test_rows_are_counted_by_reason_and_the_first_are_named() -> None:
    rows = [LeftOut(f"p.jsonl, line {i}", "not JSON", "write JSON", "Extra data") for i in range(1, 6)]
    rows += [LeftOut("p.jsonl, line 9", "not UTF-8", "write UTF-8")]
    told = "5 because not JSON (p.jsonl, line 1: Extra data, line 2, line 3 ...); 1 because not UTF-8 (p.jsonl, line 9)"
    assert summary(rows) == told
    assert summary(rows, reasons=1).endswith("; 1 for other reasons")


def test_a_row_that_no_file_can_hold_is_put_in_order_and_named() -> None:
    odd = RawProblem("\ud800", "\udfff", "", "math", 0, "file/x")
    left_out = LeftOut("\udcff.jsonl, line 1", "not JSON", "write JSON", "\x1b[2J")
    assert in_seeded_order([odd, left_out], seed=1) == [left_out, odd]
    assert str(left_out) == "\\udcff.jsonl, line 1: not JSON (\\x1b[2J); write JSON."
