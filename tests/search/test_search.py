"""Search finds what a greedy policy misses, at a cost that is counted."""

import math

import pytest

from o1_assets.core.engine import SamplingParams
from o1_assets.search.beam import StepBeam
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.mcts import PuctSearch, prior, puct
from o1_assets.search.run import SearchModels, search
from o1_assets.search.strategies import STRATEGIES
from o1_assets.search.tree import Tree
from tests.search.toy import PathScorer, TablePolicy

# The likely first step is a misconception; the right path starts with the unlikely one.
TABLE = {
    "q\n": {"bad\n": 0.7, "good\n": 0.3},
    "q\nbad\n": {"answer 1\n": 1.0},
    "q\ngood\n": {"slip\n": 0.6, "fine\n": 0.4},
    "q\ngood\nslip\n": {"answer 2\n": 1.0},
    "q\ngood\nfine\n": {"answer 3\n": 1.0},
    "q\nbad\nanswer 1\n": {"": 1.0},
    "q\ngood\nslip\nanswer 2\n": {"": 1.0},
    "q\ngood\nfine\nanswer 3\n": {"": 1.0},
}


RIGHT = "good\nfine\nanswer 3\n"


BUDGET = Budget(tokens=2000)


def answer_of(step: str) -> str | None:
    return step.strip() if step.startswith("answer") else None


def thinker(policy: TablePolicy, prm: PathScorer, answers: bool = True) -> SearchModels:
    return SearchModels(policy, prm, answer_of=answer_of if answers else lambda step: None)


def test_greedy_falls_for_the_misconception() -> None:
    policy = TablePolicy(TABLE)
    [sample] = policy.sample([policy.tokenizer.encode("q\n")], SamplingParams(100, temperature=0), [0])
    assert policy.tokenizer.decode(sample.token_ids) == "bad\nanswer 1\n"


@pytest.mark.parametrize(
    "strategy", [StepBeam(width=1, branch=16), StepBeam(2, 16), PuctSearch(12, branch=16)]
)
def test_search_finds_the_path_that_greedy_misses(strategy: Strategy) -> None:
    for found in search(
        strategy, ["q\n"] * 5, thinker(TablePolicy(TABLE), PathScorer(RIGHT)), BUDGET, range(5)
    ):
        assert found.completion == RIGHT
        assert found.finished
        assert found.answer.score == pytest.approx(0.9**3)


@pytest.mark.parametrize("strategy", [StepBeam(2, 4), PuctSearch()])
def test_the_end_token_ends_a_solution_where_no_one_knows_the_answer_line(strategy: Strategy) -> None:
    policy = TablePolicy(TABLE)
    [found] = search(strategy, ["q\n"], thinker(policy, PathScorer(RIGHT), answers=False), BUDGET, [3])
    assert found.finished
    assert found.completion_ids == [*policy.tokenizer.encode(found.completion), policy.tokenizer.eos_token_id]


def test_every_token_is_counted() -> None:
    table = {"q\n": {"a\n": 1.0}, "q\na\n": {"answer\n": 1.0}}
    [found] = search(
        StepBeam(1, 3), ["q\n"], thinker(TablePolicy(table), PathScorer("a\nanswer\n")), BUDGET, [0]
    )
    assert found.tree.tokens_generated == 3 * 2 + 3 * 7
    # the prompt, each of the two distinct steps, and the end token
    assert found.tree.tokens_scored == 2 + 2 + 7 + 1
    assert [node.samples for node in found.tree.nodes] == [1, 3, 3]


def test_a_problem_is_searched_alike_alone_and_among_others() -> None:
    def run(seeds: list[int]) -> list[str]:
        policy = TablePolicy(TABLE)
        found = search(
            StepBeam(1, 2), ["q\n"] * len(seeds), thinker(policy, PathScorer(RIGHT)), BUDGET, seeds
        )
        return [f.completion for f in found]

    together = run(list(range(20)))
    assert together == [run([seed])[0] for seed in range(20)]
    assert len(set(together)) > 1


def test_all_problems_advance_in_the_same_batches() -> None:
    policy = TablePolicy(TABLE)
    search(StepBeam(1, 2), ["q\n"] * 10, thinker(policy, PathScorer(RIGHT)), BUDGET, range(10))
    assert len(policy.batches) <= 3
    assert policy.batches[0] == 20


@pytest.mark.parametrize("strategy", [StepBeam(2, 4), PuctSearch(simulations=1000)])
def test_no_expansion_starts_once_the_budget_is_spent(strategy: Strategy) -> None:
    table = {"q\n" + "s\n" * n: {"s\n": 1.0} for n in range(300)}
    budget = Budget(tokens=40, steps=300)
    [found] = search(strategy, ["q\n"], thinker(TablePolicy(table), PathScorer("s\n" * 300)), budget, [0])
    assert not found.finished
    assert 40 <= found.tree.tokens_generated < 40 + 2 * 4 * 2


def test_a_tree_that_cannot_grow_deep_has_a_whole_solution_all_the_same() -> None:
    table = {"q\n" + "sss\n" * n: {"sss\n": 1.0} for n in range(5)}
    table |= {"q\n" + "sss\n" * 5: {"answer 7\n": 1.0}, "q\n" + "sss\n" * 5 + "answer 7\n": {"": 1.0}}
    for longest in (60, 200):  # a solution has 29, a level of the tree 16
        budget = Budget(tokens=60, solution_tokens=longest)
        [found] = search(
            PuctSearch(None, 4), ["q\n"], thinker(TablePolicy(table), PathScorer("")), budget, [0]
        )
        assert found.finished and found.completion.endswith("sss\nanswer 7\n")
        assert found.tree.tokens_generated < 60 + 16


def test_a_step_that_is_cut_off_is_counted_and_never_followed() -> None:
    table = {"q\n": {"a very long step indeed\n": 0.5, "ok\n": 0.5}, "q\nok\n": {"answer\n": 1.0}}
    budget = Budget(tokens=1000, step_tokens=8)
    [found] = search(
        StepBeam(1, 8), ["q\n"], thinker(TablePolicy(table), PathScorer("ok\nanswer\n")), budget, [1]
    )
    assert found.completion == "ok\nanswer\n"
    assert found.tree.tokens_generated > 8 * 3 + 8 * 7


def test_a_search_without_any_whole_step_returns_an_unfinished_solution() -> None:
    policy = TablePolicy({"q\n": {"a very long step indeed\n": 1.0}})
    budget = Budget(tokens=1000, step_tokens=8, solution_tokens=8)
    for strategy in (StepBeam(1, 2), PuctSearch(simulations=3, branch=2)):
        [found] = search(strategy, ["q\n"], thinker(policy, PathScorer("x")), budget, [1])  # type: ignore[arg-type]
        assert not found.finished


def test_puct_is_value_plus_prior_times_exploration() -> None:
    tree = Tree("q", [1], seed=0)
    likely = tree.add(tree.root, "a", [2], math.log(0.6))
    unlikely = tree.add(tree.root, "b", [3], math.log(0.2))
    assert prior(likely, [likely, unlikely]) == pytest.approx(0.75)
    tree.root.visits, likely.visits, likely.value = 9, 2, 1.0
    assert puct(likely, 0.75, exploration=2.0, unvisited=0.9) == pytest.approx(0.5 + 2 * 0.75 * 3 / 3)
    assert puct(unlikely, 0.25, exploration=2.0, unvisited=0.9) == pytest.approx(0.9 + 2 * 0.25 * 3)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["beam", "dvts", "mcts", "best-of-n"])
def test_a_policy_that_says_nothing_is_given_up_on(name: str) -> None:
    policy = TablePolicy({"q\n": {"": 1.0}})
    budget = Budget(tokens=40, step_tokens=8)
    [found] = search(STRATEGIES[name].strategy, ["q\n"], thinker(policy, PathScorer(RIGHT)), budget, [0])
    assert found.completion == ""
    assert found.tree.tokens_generated < 2 * budget.tokens
