from pathlib import Path

import pytest

from o1_assets.core.artifact import CheckContext
from o1_assets.engine.training.lengths import LENGTH_CHECK, TooLong, fitting


def test_what_does_not_fit_is_left_out_and_the_lengths_that_would_do_are_said():
    lines: list[str] = []
    lengths = [10] * 980 + [40] * 15 + [900] * 5
    assert fitting(lengths, 900, "examples", "limit", lines.append) == list(range(1000))
    assert not lines
    assert fitting(lengths, 39, "examples", "limit", lines.append) == list(range(980))
    assert lines == [
        "20 of 1000 examples are left out, because they are longer than limit=39 tokens: limit=900 keeps all, "
        "limit=40 keeps 99%"
    ]


def test_a_limit_that_leaves_nothing_is_refused():
    with pytest.raises(TooLong, match=r"all 2 examples are longer than limit=3 tokens.*: limit=5 keeps all"):
        fitting([4, 5], 3, "examples", "limit", print)
    assert fitting([], 3, "examples", "limit", print) == []


@pytest.mark.parametrize(("left_out", "passed"), [(0, True), (53, False)])
def test_what_was_left_out_stands_beside_the_model(left_out: int, passed: bool):
    finding = LENGTH_CHECK.run(CheckContext(folder=Path(), figures={"too_long": left_out}))
    assert finding.passed is passed and (passed or "53 examples were left out" in finding.message)
