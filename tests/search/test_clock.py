"""A time-out, with a clock that moves as the test says: thinking ends in time and has an answer."""

from __future__ import annotations

from itertools import count

import pytest

from o1_assets.search.clock import Clock
from o1_assets.search.interface import Budget, SearchResult
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.run import CACHE_TOKENS, SearchModels, search
from o1_assets.search.strategies import STRATEGIES
from tests.search.toy import PathScorer, TablePolicy
from tests.search.wide import QUESTION, Endless, answer_of

SMALL = {
    "q\n": {"a\n": 1.0}, "q\na\n": {"answer 1\n": 1.0}, "q\na\nanswer 1\n": {"": 1.0}, "q\nanswer ": {"3\n": 1.0},
}  # fmt: skip


class SlowPolicy(TablePolicy):
    """Each of its batches takes a second."""

    def seconds(self) -> float:
        return float(len(self.batches))


def think(name: str, limit: float, problems: int = 1) -> tuple[list[SearchResult], SlowPolicy]:
    policy = SlowPolicy(Endless())
    scorer = PathScorer("", 0.9, 0.6)
    models = SearchModels(policy, scorer, answer_of=answer_of, answer_start="answer ", generator=policy)
    budget = Budget(CACHE_TOKENS, step_tokens=200, clock=Clock(limit, policy.seconds))
    found = search(STRATEGIES[name].strategy, [QUESTION] * problems, models, budget, range(problems))
    return found, policy


@pytest.mark.parametrize("name", [name for name, named in STRATEGIES.items() if named.strategy.reads != "q"])
@pytest.mark.parametrize("limit", [4.5, 40.5])
def test_every_strategy_answers_in_time(name: str, limit: float) -> None:
    [found], policy = think(name, limit)
    assert found.answer.answer is not None
    assert policy.seconds() <= limit


def test_more_seconds_are_used() -> None:
    assert [think("beam", limit)[1].seconds() for limit in (4.5, 9.5, 40.5)] == [4, 9, 40]


def test_without_time_for_anything_the_first_batch_and_a_forced_answer_are_all() -> None:
    [found], policy = think("beam", 0.5)
    assert found.answer.forced and policy.seconds() == 2
    [found], policy = think("weighted", 0.5)
    assert found.answer.answer is not None and not found.answer.forced and policy.seconds() == 1


def test_problems_that_are_searched_one_after_another_share_the_time() -> None:
    found, policy = think("beam", 20.5, problems=2)
    assert policy.seconds() <= 20.5 and abs(len(found[0].tree.ledger) - len(found[1].tree.ledger)) <= 1


@pytest.mark.timeout(20)
def test_a_strategy_that_asks_for_nothing_more_is_ended_too() -> None:
    """In a tree that was seen to its ends MCTS only descends, here 10^12 times."""
    policy, ticks = TablePolicy(SMALL), count()
    models = SearchModels(policy, PathScorer("a\nanswer 1\n"), answer_of=answer_of, answer_start="answer ")
    budget = Budget(10**12, clock=Clock(500, lambda: float(next(ticks))))
    [found] = search(PuctSearch(simulations=None), ["q\n"], models, budget, [0])
    assert found.answer.answer == "1"
