"""The oracle errs at the rate it is given, in both directions alike, whatever the order of rating."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from o1_assets.labels.annotators.annotator import Request
from o1_assets.labels.annotators.oracle import Oracle
from tests.labels import world

PROBLEM = world.problem("3 * 4 - 5")
REQUESTS = [Request(PROBLEM, (), "3*4=12", f"s{i}", 0, 0) for i in range(6000)]


def shares(ratings: list[int | None]) -> dict[int, float]:
    return {value: ratings.count(value) / len(ratings) for value in (-1, 0, 1)}


@pytest.mark.parametrize(
    ("error_rate", "expected"),
    [
        (0.0, {-1: 0.0, 0: 0.0, 1: 1.0}),
        (0.2, {-1: 0.1, 0: 0.1, 1: 0.8}),
        (2 / 3, {-1: 1 / 3, 0: 1 / 3, 1: 1 / 3}),
        (1.0, {-1: 0.5, 0: 0.5, 1: 0.0}),
    ],
)
def test_a_rating_is_replaced_as_often_as_told_by_either_other_one(
    error_rate: float, expected: dict[int, float]
) -> None:
    # Four standard errors of a share of 6,000 are below 0.026.
    assert shares(Oracle(error_rate, seed=1).rate(REQUESTS)) == pytest.approx(expected, abs=0.026)


def test_errors_follow_from_what_is_rated_and_not_from_the_order() -> None:
    shuffled = list(enumerate(REQUESTS))
    random.Random(0).shuffle(shuffled)
    oracle = Oracle(0.3, seed=5)
    in_order, out_of_order = oracle.rate(REQUESTS), oracle.rate([request for _, request in shuffled])
    assert [in_order[i] for i, _ in shuffled] == out_of_order
    assert Oracle(0.3, seed=6).rate(REQUESTS) != in_order


def test_completions_of_one_step_err_independently() -> None:
    requests = [Request(PROBLEM, (), "3*4=12", "s", step, c) for step in range(60) for c in range(50)]
    ratings = Oracle(0.5, seed=2).rate(requests)
    wrong = [rating != 1 for rating in ratings]
    both = sum(a and b for a, b in pairwise(wrong)) / (len(wrong) - 1)
    assert both == pytest.approx(0.25, abs=0.04)
