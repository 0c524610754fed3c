"""Every way of thinking on a world that is known by heart: what it finds, what it costs, what it answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1_assets.search.adaptive import Adaptive
from o1_assets.search.astar import AStar
from o1_assets.search.beam import DiverseTrees, StepBeam
from o1_assets.search.chain import Chain, Direct
from o1_assets.search.interface import Budget, SearchResult, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.run import SearchModels, search
from o1_assets.search.strategies import STRATEGIES
from o1_assets.search.tree import End, Tree
from o1_assets.search.vote import Chains, best, majority, weighted_majority
from tests.search.test_search import RIGHT, TABLE, answer_of
from tests.search.toy import PathScorer, TablePolicy

FORCED = {
    **TABLE,
    "q\nanswer ": {"7\n": 1.0},
    "q\nbad\nanswer ": {"1\n": 1.0},
    "q\ngood\nanswer ": {"3\n": 1.0},
    "q\nbad\nwait ": {"no\n": 1.0},
    "q\nbad\nwait no\n": {"answer 3\n": 1.0},
    "q\nbad\nwait no\nanswer 3\n": {"": 1.0},
}


class Judge(PathScorer):
    """The PRM of the toy world, and a Q-value model that sees what the PRM does not: "good" leads further."""

    def with_kv_cache(self, values: bool = False) -> Judge:
        return self

    def outcome_probabilities(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[float]:
        texts = ["".join(chr(i) for i in ids if i) for ids in completions]
        return [0.9 if text.startswith("good") else 0.05 for text in texts]


def think(
    strategy: Strategy, budget: Budget, seeds: Sequence[int] = (0,), prm: PathScorer | None = None
) -> list[SearchResult]:
    judge = Judge(RIGHT)
    thinker = SearchModels(
        TablePolicy(FORCED), prm or judge, judge, answer_of=answer_of, answer_start="answer "
    )
    return search(strategy, ["q\n"] * len(seeds), thinker, budget, seeds)


def test_a_direct_answer_thinks_nothing() -> None:
    [found] = think(Direct(), Budget(1000))
    assert found.completion == "answer 7\n" and found.answer.forced
    assert found.tree.tokens_generated == len("7\n")


def test_a_chain_is_one_solution_without_a_look_at_it() -> None:
    class Nobody(PathScorer):
        def step_probabilities(self, prompts, completions):  # type: ignore[no-untyped-def]
            raise AssertionError("a chain asks no reward model")

    found = think(Chain(), Budget(1000), range(40), Nobody(RIGHT))
    share = np.mean([one.completion == "bad\nanswer 1\n" for one in found])
    assert 0.5 < share < 0.9
    assert all(one.finished and len(one.tree.ends) == 1 for one in found)


def test_a_chain_is_extended_until_its_budget_is_spent_and_answers_last_what_it_came_to() -> None:
    seed = next(s for s in range(40) if think(Chain(), Budget(1000), [s])[0].completion.startswith("bad"))
    [found] = think(Chain(extend="wait "), Budget(20), [seed])
    assert found.completion == "bad\nwait no\nanswer 3\n"
    [short] = think(Chain(extend="wait "), Budget(5), [seed])
    assert short.completion == "bad\nanswer 1\n"


@pytest.mark.parametrize("samples", [1, 5, 20])
def test_n_chains_are_n_votes(samples: int) -> None:
    [found] = think(Chains("majority", samples, at_once=8), Budget(10**6))
    assert len(found.tree.ends) == samples
    assert found.tree.tokens_generated == sum(len(end.node.completion_ids()) for end in found.tree.ends)


def test_chains_last_as_long_as_their_budget_and_no_longer() -> None:
    [found] = think(Chains("weighted", None, at_once=2), Budget(200))
    assert 200 <= found.tree.tokens_generated < 200 + 2 * 30
    assert [end.tokens for end in found.tree.ends] == sorted(end.tokens for end in found.tree.ends)


def test_the_majority_falls_for_the_misconception_and_the_prm_does_not() -> None:
    budget = Budget(10**6)
    assert think(Chains("majority", 60), budget)[0].completion == "bad\nanswer 1\n"
    assert think(Chains("best", 60), budget)[0].completion == RIGHT
    assert think(Chains("weighted", 60), budget)[0].completion == RIGHT


def ends_of(tree: Tree, *solutions: tuple[str | None, float]) -> list[End]:
    ends = []
    for answer, score in solutions:
        node = tree.add(tree.root, f"{answer} {score}", [len(tree.nodes)], 0.0)
        node.answer, node.score = answer, score
        ends.append(End(node, len(tree.nodes)))
    return ends


def test_choices_count_weigh_and_break_ties_by_what_came_first() -> None:
    ends = ends_of(Tree("q", [1], 0), ("a", 0.2), ("b", 0.9), ("a", 0.3), (None, 1.0))
    assert majority(ends) is ends[0].node
    assert weighted_majority(ends) is ends[1].node
    assert best(ends) is ends[1].node  # a solution without an answer is no answer, whatever its score
    assert majority(ends[1:3]) is ends[1].node
    assert majority([]) is None and weighted_majority([]) is None and best([]) is None
    assert best(ends[3:]) is ends[3].node


def test_a_star_follows_the_q_value_where_the_prm_sees_no_difference() -> None:
    """The PRM finds all steps alike; the Q-value model knows that "good" leads to the right end."""
    blind = PathScorer("", right=0.5, wrong=0.5)
    judge = Judge("", right=0.5, wrong=0.5)
    thinker = SearchModels(TablePolicy(TABLE), blind, judge, answer_of=answer_of)
    found = search(AStar(branch=16, at_once=1), ["q\n"] * 5, thinker, Budget(10**4), range(5))
    assert all(one.completion.startswith("good\n") and one.finished for one in found)
    # best first: "bad" was sampled, scored, and never gone on from
    for one in found:
        assert all(node.drawn == 0 for node in one.tree.nodes if node.text == "bad\n")


def test_a_star_weighs_what_was_against_what_may_be() -> None:
    tree = Tree("q", [1], 0)
    [known, hoped] = [tree.add(tree.root, text, [i], 0.0) for i, text in enumerate("ab")]
    known.score, known.q, hoped.score, hoped.q = 0.9, 0.5, 0.5, 0.8
    assert AStar(weight=1.0).promise(known) == pytest.approx(np.log(0.9) + np.log(0.5))
    assert AStar(weight=0.0).promise(known) > AStar(weight=0.0).promise(hoped)
    assert AStar(weight=3.0).promise(known) < AStar(weight=3.0).promise(hoped)


def test_diverse_trees_part_at_the_first_step() -> None:
    [found] = think(DiverseTrees(subtrees=2, branch=8), Budget(10**6))
    assert {end.node.path()[0].text for end in found.tree.ends} == {"good\n", "bad\n"}
    assert found.completion == RIGHT


@pytest.mark.parametrize(
    "strategy",
    [
        PuctSearch(simulations=None),
        AStar(solutions=None),
        DiverseTrees(again=True),
        Chains("majority"),
        Adaptive(easy=1.1),
    ],
)
def test_what_thinks_as_long_as_it_may_spends_its_budget_and_little_more(strategy: Strategy) -> None:
    [found] = think(strategy, Budget(600))
    assert 600 <= found.tree.tokens_generated < 600 + 16 * 25


def test_an_easy_problem_is_answered_after_the_probe_and_a_hard_one_is_searched() -> None:
    table = {"q\n": {"answer 3\n": 1.0}, "q\nanswer 3\n": {"": 1.0}}
    sure = SearchModels(TablePolicy(table), PathScorer("answer 3\n", right=0.99), answer_of=answer_of)
    [easy] = search(Adaptive(probe=4), ["q\n"], sure, Budget(2000), [0])
    assert len(easy.tree.ends) == 4 and easy.tree.tokens_generated == 4 * len("answer 3\n" + "e")
    unsure = SearchModels(TablePolicy(table), PathScorer("nothing", wrong=0.1), answer_of=answer_of)
    [hard] = search(Adaptive(probe=4), ["q\n"], unsure, Budget(2000), [0])
    assert hard.tree.tokens_generated >= 2000


def test_a_hard_problem_is_left_as_soon_as_what_was_found_is_believed() -> None:
    sure = SearchModels(TablePolicy(TABLE), PathScorer(RIGHT, right=0.99), answer_of=answer_of)
    found = search(Adaptive(probe=4), ["q\n"] * 10, sure, Budget(20_000), range(10))
    assert all(one.completion == RIGHT for one in found)
    assert max(one.tree.tokens_generated for one in found) < 2000


def test_the_probe_is_no_larger_than_the_budget() -> None:
    [found] = think(Adaptive(probe=4, easy=0.0), Budget(100, solution_tokens=50))
    assert len(found.tree.ends) == 2


def test_a_model_that_is_missing_is_named() -> None:
    thinker = SearchModels(TablePolicy(TABLE), PathScorer(RIGHT), answer_of=answer_of)
    with pytest.raises(ValueError, match="AStar reads a model that was not given: q"):
        search(AStar(), ["q\n"], thinker, Budget(100), [0])


def test_a_solution_that_did_not_end_in_time_is_asked_for_its_answer() -> None:
    table = {"q\n" + "s\n" * n: {"s\n": 1.0} for n in range(60)}
    table |= {"q\n" + "s\n" * n + "answer ": {"5\n": 1.0} for n in range(60)}
    thinker = SearchModels(
        TablePolicy(table), PathScorer("s\n" * 60), answer_of=answer_of, answer_start="answer "
    )
    for strategy in (PuctSearch(simulations=4), Chain()):
        [found] = search(strategy, ["q\n"], thinker, Budget(40, steps=60, solution_tokens=20), [0])
        assert found.answer.forced and found.answer.answer == "answer 5"
        assert found.completion.startswith("s\n")


class Everywhere(dict[str, dict[str, float]]):
    """A table of TablePolicy for any text: steps short and long, and an answer now and then."""

    def __missing__(self, text: str) -> dict[str, float]:
        if text.endswith("\nanswer "):
            return {"7\n": 1.0}
        before, _, begun = text.rpartition("\n")
        if "answer" in before.split("\n")[-1]:
            return {"": 1.0}
        steps = {"a\n": 0.4, "a long step\n": 0.3, "answer 1\n": 0.2, "answer 2\n": 0.1}
        likely = {step[len(begun) :]: p for step, p in steps.items() if step.startswith(begun)} or steps
        return {rest: p / sum(likely.values()) for rest, p in likely.items()}


UNTIL_SPENT = [
    STRATEGIES[name].strategy for name in ("consistency", "best-of-n", "weighted", "beam", "dvts", "astar")
]


@settings(max_examples=60)
@given(
    strategy=st.sampled_from(
        [*UNTIL_SPENT, Chain(extend="wait "), Chains("majority", samples=3), StepBeam(2, 4)]
    )
    | st.sampled_from([named.strategy for named in STRATEGIES.values()]),
    budget=st.builds(
        Budget, st.integers(1, 300), st.just(30), st.integers(1, 40), st.integers(1, 90), hard=st.just(True)
    ),
)
def test_a_hard_budget_is_never_exceeded_by_any_strategy(strategy: Strategy, budget: Budget) -> None:
    """Whatever it asks for, and with the answer that it is asked for in the end."""
    judge = Judge(RIGHT)
    policy = TablePolicy(Everywhere())
    thinker = SearchModels(
        policy, judge, judge, answer_of=answer_of, answer_start="answer ", generator=policy
    )
    for result in search(strategy, ["q\n"] * 2, thinker, budget, range(2)):
        # What repeats until nothing is left leaves no more than an answer needs.
        least = budget.for_thinking().tokens if strategy in UNTIL_SPENT else 0
        assert least <= result.tree.tokens_generated <= budget.tokens


def everywhere(strategy: Strategy, budget: Budget) -> tuple[list[SearchResult], TablePolicy]:
    policy = TablePolicy(Everywhere())
    thinker = SearchModels(policy, Judge(RIGHT), answer_of=answer_of, answer_start="answer ")
    return search(strategy, ["q\n"] * 4, thinker, budget, range(4)), policy


def test_chains_spend_a_hard_budget_in_few_calls_and_the_prm_reads_them_once() -> None:
    """As many as surely fit at a time would be over twenty calls, each problem's last of another length."""
    found, policy = everywhere(Chains("best"), Budget(2048, solution_tokens=90, hard=True))
    assert len(policy.batches) <= 9 and policy.batches[0] == 4 * ((2048 - 32) // 90)
    for one in found:
        assert all(end.node.probabilities is not None for end in one.tree.ends)
        assert {scored for _, scored in one.tree.ledger[:-1]} == {0}
    # Little is cut off for good: most of the budget became solutions.
    ended = sum(len(end.node.completion_ids()) for one in found for end in one.tree.ends)
    assert ended > 0.88 * sum(one.tree.tokens_generated for one in found)


def test_where_all_solutions_end_without_an_answer_the_policy_is_asked_for_one() -> None:
    table = {
        "q\n": {"a\n": 1.0}, "q\na\n": {"": 1.0}, "q\na\nanswer ": {"3\n": 1.0}, "q\na\nanswer 3\n": {"": 1.0},
        "q\nanswer ": {"3\n": 1.0}, "q\nanswer 3\n": {"": 1.0},
    }  # fmt: skip
    thinker = SearchModels(TablePolicy(table), Judge(RIGHT), answer_of=answer_of, answer_start="answer ")
    for strategy in (Chains("best"), Chains("majority"), StepBeam(2, 2)):
        [found] = search(strategy, ["q\n"], thinker, Budget(256, solution_tokens=20, hard=True), [0])
        assert found.answer.answer == "answer 3" and found.answer.forced, strategy


@pytest.mark.parametrize("length", [5, 20, 39, 41, 60, 79])
def test_a_hard_budget_becomes_solutions_whatever_their_length(length: int) -> None:
    """Of 80 tokens at most. All of one length: where one is cut off all are."""
    text = "a" * (length - 1) + "\n"
    policy = TablePolicy({"q\n": {text: 1.0}, f"q\n{text}": {"": 1.0}})
    thinker = SearchModels(policy, Judge(RIGHT), answer_of=answer_of)
    [found] = search(Chains("best"), ["q\n"], thinker, Budget(2560, solution_tokens=80, hard=True), [0])
    assert len(found.tree.ends) >= 0.75 * 2560 // (length + 1)


def test_chains_that_were_cut_off_and_continued_are_the_policys_own() -> None:
    """Were long ones given up, or their last step drawn anew, there would be too few of them."""
    found, _ = everywhere(Chains("majority"), Budget(20_000, solution_tokens=150, hard=True))
    steps = [end.node.depth for one in found for end in one.tree.ends]
    long = [node.samples for one in found for node in one.tree.nodes if node.text == "a long step\n"]
    short = [node.samples for one in found for node in one.tree.nodes if node.text == "a\n"]
    for depth, share in enumerate((0.3, 0.21, 0.147, 0.1029), 1):
        deviation = (share * (1 - share) / len(steps)) ** 0.5
        assert abs(steps.count(depth) / len(steps) - share) < 4 * deviation
    assert sum(long) / (sum(long) + sum(short)) == pytest.approx(3 / 7, abs=0.03)


def test_an_answer_is_asked_for_within_a_hard_budget() -> None:
    [found] = think(Direct(), Budget(2, hard=True))
    assert (found.completion, found.tree.tokens_generated) == ("answer 7\n", 2)
    [found] = think(Direct(), Budget(1, hard=True))
    assert found.answer.answer is None and found.tree.tokens_generated == 1
    policy = TablePolicy({"q\n": {"think and think again\n": 1.0}, "q\nanswer ": {"7\n": 1.0}})
    thinker = SearchModels(policy, Judge(RIGHT), answer_of=answer_of, answer_start="answer ")
    for hard, spent in ((True, 14 + 2), (False, 16 + 2)):
        [found] = search(Chain(), ["q\n"], thinker, Budget(16, solution_tokens=16, hard=hard), [0])
        assert found.answer.answer == "answer 7" and found.tree.tokens_generated == spent
