"""Who proposes what a search samples, and what is believed of it."""

from __future__ import annotations

import math

import pytest

from o1_assets.search.beam import StepBeam, rank
from o1_assets.search.interface import Budget, SearchResult, Strategy, proposed_by
from o1_assets.search.proposals import GENERATOR, POLICY, Proposer
from o1_assets.search.run import SearchModels, search
from o1_assets.search.tree import End, Node, Tree
from o1_assets.search.vote import Chains, best, weighted_majority
from tests.search.test_search import RIGHT, TABLE, answer_of
from tests.search.toy import PathScorer, TablePolicy

# What the policy writes once in a thousand times, and GPT* always.
NARROW = {**TABLE, "q\n": {"bad\n": 0.999, "good\n": 0.001}}
WIDE = {**TABLE, "q\n": {"good\n": 1.0}}


def think(strategy: Strategy, tokens: int = 100) -> SearchResult:
    models = SearchModels(
        TablePolicy(NARROW), PathScorer(RIGHT), answer_of=answer_of, generator=TablePolicy(WIDE)
    )
    [found] = search(strategy, ["q\n"], models, Budget(tokens), [0])
    return found


@pytest.mark.parametrize(
    "strategy", [StepBeam(again=True), Chains("best", at_once=4)], ids=["steps", "chains"]
)
def test_proposers_take_turns_and_the_policy_says_how_likely_it_finds_what_they_write(
    strategy: Strategy,
) -> None:
    assert think(strategy).answer.answer != "answer 3"
    mixed = think(proposed_by(strategy, (POLICY, GENERATOR)))
    assert mixed.answer.answer == "answer 3"
    first = {node.text: node for node in mixed.tree.root.children}
    assert set(first) == {"bad\n", "good\n"} and first["good\n"].samples == first["bad\n"].samples
    assert math.isclose(first["good\n"].logprob, math.log(0.001))


def test_each_proposer_has_its_own_temperature() -> None:
    class Watched(TablePolicy):
        def sample(self, prompts, params, seeds):  # type: ignore[no-untyped-def]
            heats.append((len(prompts), params.temperature))
            return super().sample(prompts, params, seeds)

    heats: list[tuple[int, float]] = []
    models = SearchModels(Watched(TABLE), PathScorer(RIGHT), answer_of=answer_of, temperature=0.5)
    search(Chains("best", 4, proposers=(POLICY, Proposer(heat=3.0))), ["q\n"], models, Budget(1000), [0])
    assert heats == [(2, 0.5), (2, 1.5)]


def test_a_search_by_gpt_star_needs_gpt_star() -> None:
    models = SearchModels(TablePolicy(TABLE), PathScorer(RIGHT), answer_of=answer_of)
    with pytest.raises(ValueError, match="generator"):
        search(StepBeam(proposers=(GENERATOR,)), ["q\n"], models, Budget(100), [0])


def solution(tree: Tree, answer: str, score: float, probability: float) -> Node:
    step = tree.add(tree.root, f"{answer} {score}\n", [1], math.log(probability) / 2)
    node = tree.add(step, f"answer {answer}\n", [2], math.log(probability) / 2)
    node.answer, node.score = answer, score
    tree.end(node)
    return node


def test_a_prior_keeps_what_the_policy_hardly_ever_writes_from_fooling_the_prm() -> None:
    tree = Tree("q", [1], 0)
    right, fooling = solution(tree, "a", 0.6, 0.5), solution(tree, "b", 0.9, 0.001)
    assert best(tree.ends) is fooling and best(tree.ends, 1.0) is right
    assert sorted([right, fooling], key=rank(0.0)) == [fooling, right]
    assert sorted([fooling, right], key=rank(1.0)) == [right, fooling]
    assert right.belief(0.5) == pytest.approx(0.6 * math.sqrt(0.5))


def test_with_a_prior_a_vote_counts_every_distinct_solution_once() -> None:
    tree = Tree("q", [1], 0)
    a, b = solution(tree, "a", 0.5, 0.2), solution(tree, "b", 0.5, 0.3)
    ends = [*tree.ends, End(a, 3), End(a, 4)]  # a search that came back to one of them
    assert weighted_majority(ends) is a and weighted_majority(ends, 1.0) is b
