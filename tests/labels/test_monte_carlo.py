"""Monte Carlo labels: shares of right rollouts, ratings, the first error by binary search, and the cost."""

from __future__ import annotations

from math import ceil, log2
from pathlib import Path as FilePath
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from o1_assets.labels.annotators.annotator import PathAnnotator, Request, SolutionPath, annotate
from o1_assets.labels.annotators.monte_carlo import FirstErrorSearch, MonteCarlo, RolloutEstimate
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.config import MonteCarloConfig
from o1_assets.labels.inbox.tables import ParsedRecord
from o1_assets.labels.protocol import DENSE, SPARSE, Protocol
from o1_assets.labels.schema import ratings_of
from tests.labels import world
from tests.labels.rollout_world import ChanceEngine

EXPRESSION = "6 - 2"
PROBLEM = world.problem(EXPRESSION)
Kind = Literal["hard", "soft", "first_error"]


def annotator(kind: Kind = "hard", engine: ChanceEngine | None = None, **numbers: Any) -> MonteCarlo:
    config = MonteCarloConfig(estimate=kind, **numbers)
    return MonteCarlo.open(engine or ChanceEngine(EXPRESSION), config, seed=3)


def request(*steps: str) -> Request:
    return Request(PROBLEM, tuple(steps[:-1]), steps[-1], "s", len(steps) - 1, 0)


@pytest.mark.parametrize("chance", [0.0, 0.2, 0.7, 1.0])
def test_the_share_is_the_chance_of_success_after_the_step(chance: float) -> None:
    rollouts = annotator(rollouts=1000).rollouts
    (estimate,) = rollouts.estimate([(PROBLEM, ("begin p=0", f"go on p={chance}"))])
    assert estimate.rollouts == 1000 and estimate.share == pytest.approx(chance, abs=0.06)
    assert rollouts.rollouts == 1000 and rollouts.tokens == rollouts.cost().tokens_generated > 0
    assert rollouts.cost().flops == 2 * 7 * rollouts.tokens


def test_hard_takes_any_right_rollout_soft_compares_the_share_with_its_thresholds() -> None:
    asked = [request(f"p={chance}") for chance in (0.0, 0.1, 0.5, 1.0)]
    assert annotator("hard", rollouts=200).rate(asked) == [-1, 1, 1, 1]
    soft = annotator("soft", rollouts=200, negative_to=0.3, positive_from=0.8)
    assert soft.rate(asked) == [-1, -1, 0, 1]
    assert annotator("soft", rollouts=200, negative_to=0.05, positive_from=0.06).rate(asked) == [-1, 1, 1, 1]


def test_a_step_that_answers_is_graded_and_costs_nothing() -> None:
    engine = ChanceEngine(EXPRESSION)
    hard = annotator("hard", engine)
    assert hard.rate([request("p=0", "answer 4"), request("p=1", "answer 5")]) == [1, -1]
    assert engine.calls == [] and hard.rollouts.known[(PROBLEM["problem_id"], ("p=0", "answer 4"))] == (
        RolloutEstimate(rollouts=0, right=1)
    )


def test_an_estimate_depends_on_the_steps_and_not_on_what_else_is_asked() -> None:
    asked = [(PROBLEM, (f"{i} p=0.5",)) for i in range(20)]
    together = annotator().rollouts.estimate(asked)
    alone = [annotator().rollouts.estimate([one])[0] for one in reversed(asked)][::-1]
    assert together == alone and len(set(together)) > 1


@pytest.mark.parametrize("room", [0, 3])
def test_a_step_after_which_the_model_has_no_room_is_not_rated_and_counted(room: int) -> None:
    """Its rollouts say nothing: they end before an answer however good the step is."""
    engine = ChanceEngine(EXPRESSION)
    long = "p=1 " + "very " * 20 + "long p=1"
    engine.longest = len(f"{PROBLEM['question']}\n{long}\n") + room
    hard = annotator("hard", engine, rollouts=4)
    assert hard.rate([request("p=1"), request(long), request("p=0")]) == [1, None, -1]
    assert hard.rollouts.too_long == 1 and hard.rollouts.rollouts == 12
    search = annotator("first_error", engine, rollouts=4)
    assert isinstance(search, PathAnnotator)
    paths = [
        ("p=1", "p=1", long),
        ("p=1", "p=0", long),
        ("p=1", "p=1"),
        (long, "answer 4"),
        (long, "answer 5"),
    ]
    ratings = search.rate_paths([SolutionPath(PROBLEM, steps) for steps in paths])
    assert ratings == [[1, 1, None], [1, -1], [1, 1], [1, 1], [None]]


def test_the_same_steps_are_sampled_once_and_a_wave_is_one_call() -> None:
    engine = ChanceEngine(EXPRESSION)
    hard = annotator("hard", engine, rollouts=5)
    hard.rate([request("p=0.5"), request("p=0.5"), request("p=0.5", "p=0.1")])
    hard.rate([request("p=0.5")])
    assert engine.calls == [10]


def monotone(length: int, error: int) -> tuple[str, ...]:
    """Steps after which the policy always succeeds before `error` and never from it on; error == length: none."""
    return tuple(f"step {i} p={1.0 if i < error else 0.0}" for i in range(length))


paths = st.lists(
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=8
)


@given(paths)
@settings(max_examples=60, deadline=None)
def test_the_binary_search_finds_what_rating_every_step_finds(shapes: list[tuple[int, int]]) -> None:
    solutions = [SolutionPath(PROBLEM, monotone(*shape)) for shape in shapes]
    search = annotator("first_error", rollouts=2)
    assert isinstance(search, PathAnnotator)
    found = search.rate_paths(solutions)
    hard = annotator("hard", rollouts=2)
    for path, ratings in zip(solutions, found, strict=True):
        every = hard.rate([request(*path.steps[: i + 1]) for i in range(len(path.steps))])
        assert ratings == every[: every.index(-1) + 1 if -1 in every else None]


@pytest.mark.parametrize("length", [1, 2, 7, 8, 33, 64])
def test_the_search_needs_a_logarithm_of_the_rollouts_and_of_the_calls(length: int) -> None:
    solutions = [SolutionPath(PROBLEM, (*monotone(length, error), "answer 5")) for error in range(length + 1)]
    engine = ChanceEngine(EXPRESSION)
    found = annotator("first_error", engine, rollouts=4).rate_paths(solutions)
    assert [len(ratings) - 1 for ratings in found] == list(range(length + 1))
    probes = ceil(log2(length + 1))
    assert len(engine.calls) <= probes, "all solutions advance together"
    assert sum(engine.calls) <= 4 * probes * len(solutions)
    one = ChanceEngine(EXPRESSION)
    annotator("first_error", one, rollouts=4).rate_paths(solutions[length // 2 : length // 2 + 1])
    assert 0 < sum(one.calls) <= 4 * probes


def test_a_right_answer_means_no_error_and_no_rollout() -> None:
    engine = ChanceEngine(EXPRESSION)
    search = annotator("first_error", engine)
    assert isinstance(search, FirstErrorSearch)
    assert search.rate_paths(
        [SolutionPath(PROBLEM, ("p=0", "p=0", "answer 4")), SolutionPath(PROBLEM, ())]
    ) == [
        [1, 1, 1],
        [],
    ]
    assert engine.calls == []


@pytest.mark.parametrize("protocol", [DENSE, SPARSE])
@pytest.mark.parametrize("kind", ["hard", "soft", "first_error"])
def test_its_records_keep_to_the_protocol(tmp_path: FilePath, protocol: Protocol, kind: Kind) -> None:
    selection = world.load(tmp_path)
    engine = ChanceEngine(*(expression for expression, _ in world.SOLUTIONS.values()))
    rater = annotator(kind, engine)
    records = list(annotate(selection, world.ROUND, protocol, rater, set(selection.solution_ids)))
    check = world.check(selection, protocol)
    assert len(records) == 3 and not any(
        check.violations(ParsedRecord.parse(record, protocol)) for record in records
    )
    assert {record.labeler for record in records} == {"monte_carlo"}
    assert all(record.label.finish_reason in ("solution", "found_error") for record in records)
    estimates = rater.estimates(selection)
    known = {tuple(row): (right, of) for *row, of, right, _ in estimates.iter_rows()}
    if kind == "hard":
        for record in records:
            assert record.o1 is not None
            for slot, rating in ratings_of(record).items():
                if rating is not None:
                    assert rating == (1 if known[(record.o1.solution_id, *slot)][0] else -1)


def test_a_walk_without_a_path_annotator_asks_as_before(tmp_path: FilePath) -> None:
    assert not isinstance(Oracle(), PathAnnotator) and not isinstance(annotator("soft"), PathAnnotator)
    selection = world.load(tmp_path)
    records = list(annotate(selection, world.ROUND, DENSE, Oracle(), {"wrong"}))
    assert [list(ratings_of(r).values())[:3] for r in records] == [[-1, 1, -1]]


def test_thresholds_that_cross_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"negative_to 0.5 is not below positive_from 0.2"):
        MonteCarloConfig(negative_to=0.5, positive_from=0.2)
