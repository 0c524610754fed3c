"""Doubts, counted by hand."""

from __future__ import annotations

import math

import polars as pl
import pytest

from o1_assets.evaluation.versions import OUTCOMES, self_correction
from tests.evaluation.test_round_eval import steps_table

RIGHT = ("1+1=2", 1, 0.9)


WRONG = ("1+1=3", -1, 0.1)


REPAIR = ("wait 1+1=2", 1, 0.9)


SPOIL = ("wait 1+1=3", -1, 0.1)


NEEDLESS = ("wait 1+1=2", 0, 0.5)


def test_what_becomes_of_doubts_is_told_from_the_step_before_and_the_doubt_itself() -> None:
    found = self_correction(
        steps_table(
            [WRONG, REPAIR, ("answer 2", 1, 0.9)],
            [WRONG, SPOIL, ("answer 3", -1, 0.1)],
            [RIGHT, SPOIL, ("answer 3", -1, 0.1)],
            [RIGHT, NEEDLESS, ("answer 2", 1, 0.9)],
            [WRONG, ("answer 3", -1, 0.1)],
        ),
        "wait",
    )
    assert (found["solutions"], found["doubts"]) == (5, 4)
    assert found["doubting"] == 0.8 and found["rightly"] == 0.5
    assert [found[name] for name in OUTCOMES] == [0.25] * 4
    assert found["noticed"] == pytest.approx(2 / 3)
    assert found["rightly_error"] == pytest.approx(math.sqrt(4 / 3 * 4 * 0.25) / 4)


def test_a_check_between_hides_nothing_and_only_the_first_error_can_go_unnoticed() -> None:
    found = self_correction(
        steps_table(
            [WRONG, ("check 1+1=3", -1, 0.1), REPAIR, ("answer 2", 1, 0.9)],
            [WRONG, ("3+1=5", -1, 0.1), ("answer 5", -1, 0.1)],
        ),
        "wait",
    )
    assert found["rightly"] == found["wrong_to_right"] == 1.0
    assert found["noticed"] == 0.5


def test_without_doubts_or_ratings_there_is_nothing_to_divide_by() -> None:
    calm = self_correction(steps_table([RIGHT, ("answer 2", 1, 0.9)]), "wait")
    assert calm["doubting"] == 0.0 and calm["rightly"] is None and calm["noticed"] is None
    unknown = steps_table([("so", 0, 0.5)]).with_columns(rating=pl.lit(None, pl.Int8))
    unrated = self_correction(unknown, "wait")
    assert unrated["solutions"] == 0 and unrated["doubting"] is None
