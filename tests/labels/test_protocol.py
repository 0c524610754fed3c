"""Dense and sparse labelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1_assets.labels.protocol import DENSE, SPARSE, Protocol, Slot

SHAPE = [2, 3, 1]


def walk(protocol: Protocol, answers: dict[tuple[int, int], int | None]) -> list[tuple[int, int]]:
    """The slots asked one after another; what `answers` leaves out is rated positive."""
    ratings: dict[Slot, int | None] = {}
    while (slot := protocol.next_to_rate(SHAPE, ratings)) is not None:
        ratings[slot] = answers.get(slot, 1)
    assert protocol.finished(SHAPE, ratings)
    assert protocol.violations(SHAPE, ratings) == []
    return [tuple(slot) for slot in ratings]


def test_dense_asks_for_every_completion_of_every_step() -> None:
    assert walk(DENSE, {}) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0)]


def test_dense_stops_after_the_alternatives_of_the_first_negative_own_step() -> None:
    assert walk(DENSE, {(1, 0): -1}) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]


def test_dense_goes_on_after_a_negative_alternative_and_a_neutral_step() -> None:
    assert walk(DENSE, {(0, 0): 0, (0, 1): -1})[-1] == (2, 0)


def test_sparse_asks_for_own_steps_only_while_none_is_negative() -> None:
    assert walk(SPARSE, {(1, 0): 0}) == [(0, 0), (1, 0), (2, 0)]


def test_sparse_asks_for_the_alternatives_of_the_first_negative_step_and_stops() -> None:
    assert walk(SPARSE, {(1, 0): -1}) == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert walk(SPARSE, {(1, 0): -1, (1, 1): -1, (1, 2): -1}) == [(0, 0), (1, 0), (1, 1), (1, 2)]


@pytest.mark.parametrize(("protocol", "asked"), [(DENSE, [(0, 0), (0, 1)]), (SPARSE, [(0, 0)])])
def test_an_unsure_own_step_ends_the_solution(protocol: Protocol, asked: list[tuple[int, int]]) -> None:
    assert walk(protocol, {(0, 0): None}) == asked


def test_an_unsure_alternative_does_not() -> None:
    assert walk(DENSE, {(0, 1): None})[-1] == (2, 0)


@pytest.mark.parametrize(
    ("protocol", "ratings", "broken"),
    [
        (DENSE, {(0, 0): -1, (1, 0): 1}, [(1, 0, "after_first_negative")]),
        (DENSE, {(1, 1): 1}, [(1, 1, "prefix_not_rated")]),
        (DENSE, {(0, 0): 1, (1, 0): 1, (2, 1): 1}, [(2, 1, "no_such_completion")]),
        (SPARSE, {(0, 0): 1, (0, 1): 1}, [(0, 1, "alternative_not_asked")]),
        (SPARSE, {(0, 0): None, (0, 1): 1}, [(0, 1, "own_step_not_rated")]),
        (SPARSE, {(0, 0): -1, (0, 1): 1, (1, 0): 1}, [(1, 0, "after_first_negative")]),
        (SPARSE, {(0, 0): 1, (2, 0): 1}, [(2, 0, "prefix_not_rated")]),
        (SPARSE, {(0, 0): -1}, []),
        (DENSE, {}, []),
    ],
)
def test_violations_name_step_completion_and_rule(
    protocol: Protocol, ratings: dict[tuple[int, int], int], broken: list[tuple[int, int, str]]
) -> None:
    found = protocol.violations(SHAPE, {Slot(*slot): rating for slot, rating in ratings.items()})
    assert [(v.step, v.completion, v.rule) for v in found] == broken


@given(
    protocol=st.sampled_from([DENSE, SPARSE]),
    shape=st.lists(st.integers(1, 4), max_size=5),
    ratings=st.dictionaries(
        st.builds(Slot, st.integers(0, 4), st.integers(0, 3)), st.sampled_from([-1, 0, 1, None]), max_size=12
    ),
)
def test_any_set_of_ratings_is_either_violated_or_can_be_finished(
    protocol: Protocol, shape: list[int], ratings: dict[Slot, int | None]
) -> None:
    kept = {slot: rating for slot, rating in ratings.items()}
    for violation in protocol.violations(shape, ratings):
        assert violation.step is not None and violation.completion is not None
        del kept[Slot(violation.step, violation.completion)]
    assert protocol.violations(shape, kept) == []
    while (slot := protocol.next_to_rate(shape, kept)) is not None:
        assert slot not in kept
        kept[slot] = 1
    assert protocol.violations(shape, kept) == []
