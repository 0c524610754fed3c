"""What a Q-value decides: another one, with the same policy, PRM and seeds, leads elsewhere and to another answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from o1_assets.search.astar import AStar
from o1_assets.search.interface import Budget, SearchResult, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.run import SearchModels, search
from o1_assets.search.tree import Node
from tests.search.test_search import answer_of
from tests.search.toy import PathScorer, TablePolicy

STEPS = ("left\n", "right\n", "ahead\n")


FORK = {
    "q\n": dict.fromkeys(STEPS, 1 / 3),
    **{f"q\n{step}": {f"answer {i}\n": 1.0} for i, step in enumerate(STEPS)},
    **{f"q\n{step}answer {i}\n": {"": 1.0} for i, step in enumerate(STEPS)},
}


TWO_ANSWERS = {
    "q\n": {"answer 1\n": 0.5, "answer 2\n": 0.5},
    **{f"q\nanswer {i}\n": {"": 1.0} for i in (1, 2)},
}


class Chances(PathScorer):
    """A PRM to which all steps are alike, save those that begin `solution`; and the Q-values that it is given, of
    solutions by what they begin with."""

    def __init__(self, q: Mapping[str, float], solution: str = "none", right: float = 0.8) -> None:
        super().__init__(solution, right, wrong=0.5)
        self.q = q

    def with_kv_cache(self, values: bool = False) -> Chances:
        return self

    def outcome_probabilities(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[float]:
        texts = ["".join(chr(i) for i in ids if i) for ids in completions]
        return [next(q for start, q in self.q.items() if text.startswith(start)) for text in texts]


def found(
    strategy: Strategy, table: dict[str, dict[str, float]], judge: Chances, tokens: int
) -> SearchResult:
    thinker = SearchModels(TablePolicy(table), judge, judge, answer_of=answer_of)
    [one] = search(strategy, ["q\n"], thinker, Budget(tokens), [3])
    return one


def order_of(one: SearchResult) -> list[str]:
    """First steps in the order in which it was gone on from them."""
    steps: list[Node] = [node for node in one.tree.root.children if node.visited]
    return [node.text for node in sorted(steps, key=lambda node: node.visited[0])]


@pytest.mark.parametrize("first", STEPS)
@pytest.mark.parametrize("at_once", [1, 2])
def test_a_star_goes_on_from_the_step_of_the_best_q_value_and_answers_what_follows(
    first: str, at_once: int
) -> None:
    second = STEPS[STEPS.index(first) - 1]
    q = {first: 0.9, second: 0.6} | {step: 0.3 for step in STEPS if step not in (first, second)}
    one = found(AStar(branch=12, at_once=at_once), FORK, Chances(q), 10**4)
    assert order_of(one) == [first, second]
    assert one.completion == f"{first}answer {STEPS.index(first)}\n"
    many = found(AStar(branch=12, at_once=1, solutions=None), FORK, Chances(q), 12 * 30)
    assert order_of(many)[:2] == [first, second]
    assert many.tree.ends[0].node.path()[0].text == first


@pytest.mark.parametrize("better", [1, 2])
def test_a_star_answers_with_what_it_took_first_and_not_with_what_the_prm_likes_best(better: int) -> None:
    q = {f"answer {i}\n": 0.9 if i == better else 0.1 for i in (1, 2)}
    judge = Chances(q, solution="answer 1\n", right=0.6)
    assert found(AStar(branch=12), TWO_ANSWERS, judge, 10**4).completion == f"answer {better}\n"
    assert found(AStar(branch=12, weight=0.0), TWO_ANSWERS, judge, 10**4).completion == "answer 1\n"


@pytest.mark.parametrize("first", STEPS)
def test_mcts_descends_where_the_q_value_is_best_and_only_if_it_reads_it(first: str) -> None:
    judge = Chances({step: 0.9 if step == first else 0.1 for step in STEPS})
    by_q, by_prm = (
        found(strategy, FORK, judge, 10**5).tree.root.children
        for strategy in (PuctSearch(60, branch=12, reads="q"), PuctSearch(60, branch=12))
    )
    assert max(by_q, key=lambda node: node.visits).text == first
    assert {node.q for node in by_q} == {0.9, 0.1} and {node.q for node in by_prm} == {None}
