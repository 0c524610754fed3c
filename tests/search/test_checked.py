"""Where answers can be checked without a key, thinking stops at the first that passes."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from o1_assets.search.adaptive import Adaptive
from o1_assets.search.beam import StepBeam
from o1_assets.search.checked import Checked
from o1_assets.search.interface import Budget, SearchResult, Strategy
from o1_assets.search.run import SearchModels, search
from o1_assets.search.show import terminal_tree
from o1_assets.search.trace import Trace
from o1_assets.search.vote import Chains
from tests.search.test_search import answer_of
from tests.search.toy import PathScorer, TablePolicy

# The right answer, 3, is rare; a PRM that is fooled believes the common wrong one.
TABLE = {
    "q\n": {"bad\n": 0.9, "good\n": 0.1},
    "q\nbad\n": {"answer 1\n": 1.0},
    "q\ngood\n": {"answer 3\n": 1.0},
    "q\nbad\nanswer 1\n": {"": 1.0},
    "q\ngood\nanswer 3\n": {"": 1.0},
}
FOOLED = PathScorer("bad\nanswer 1\n")
LARGE = Budget(6000, solution_tokens=16)


def think(strategy: Strategy, budget: Budget = LARGE, check: bool = True) -> list[SearchResult]:
    models = SearchModels(
        TablePolicy(TABLE),
        FOOLED,
        answer_of=answer_of,
        self_check=(lambda prompt, answer: answer == "answer 3") if check else (lambda prompt, answer: None),
    )
    return search(strategy, ["q\n"] * 10, models, budget, range(10))


@pytest.mark.parametrize(
    "strategy", [Checked(Chains("majority", at_once=4)), Checked(StepBeam(2, 4, again=True)), Adaptive()]
)
def test_it_stops_at_the_first_answer_that_passes(strategy: Strategy) -> None:
    for result in think(strategy):
        assert result.answer.answer == "answer 3" and result.answer.passes
        assert result.tree.tokens_generated < LARGE.tokens / 4


def test_without_a_check_the_strategy_is_as_it_was() -> None:
    inner = Chains("majority", at_once=4)
    small = Budget(200, solution_tokens=16)
    plain, wrapped = think(inner, small, check=False), think(Checked(inner), small, check=False)
    assert [r.completion for r in plain] == [r.completion for r in wrapped]
    assert {r.answer.answer for r in wrapped} == {"answer 1"} and wrapped[0].answer.passes is None


def test_where_no_answer_passes_the_strategy_chooses() -> None:
    result = next(r for r in think(Checked(Chains("majority", samples=1))) if not r.answer.passes)
    assert result.answer.answer == "answer 1" and result.answer.passes is False
    # The PRM believes it; an answer that failed is none to be confident of.
    assert Adaptive().confidence(result.tree.ends) == 0.0


def test_the_tree_shows_which_answers_pass() -> None:
    [result, *_] = think(Checked(Chains("majority", at_once=16)))
    console = Console(width=80, file=(text := StringIO()))
    console.print(terminal_tree("q", Trace.of(result)))
    lines = text.getvalue().splitlines()
    assert any("answer 3" in line and "passes" in line for line in lines)
    assert any("answer 1" in line and "fails" in line for line in lines)
