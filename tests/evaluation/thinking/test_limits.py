"""Chains that are cut short or made to doubt, in a world where each outcome is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from o1_assets.core.artifact import Task
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.evaluation.thinking.measure import (
    CUT,
    FORCED,
    compare_prompting,
    measure_extension,
    measure_limits,
    measure_samples,
)
from tests.evaluation.thinking.toy_solver import toy_solver
from tests.search.test_search import RIGHT, TABLE
from tests.search.test_strategies import FORCED as ASKED
from tests.search.toy import TablePolicy

DOUBTING = {
    "q\n": {"bad\n": 1.0},
    "q\nbad\n": {"answer 3\n": 1.0},
    "q\nbad\nanswer 3\n": {"": 1.0},
    "q\nbad\nanswer ": {"3\n": 1.0},
    "q\nanswer ": {"7\n": 1.0},
    "q\nbad\nwait ": {"no\n": 1.0},
    "q\nbad\nwait no\n": {"answer 1\n": 1.0},
    "q\nbad\nwait no\nanswer 1\n": {"": 1.0},
    "q\nbad\nwait no\nwait ": {"yes\n": 1.0},
    "q\nbad\nwait no\nwait yes\n": {"answer 3\n": 1.0},
    "q\nbad\nwait no\nwait yes\nanswer 3\n": {"": 1.0},
}


WHOLE = len("bad\nanswer 3\n") + 1


def task() -> Task:
    """Whose progress is all that is used."""
    return Task(inputs={}, out=Path(), seed=0, open_engine=lambda path: TablePolicy({}))


def test_at_the_limit_an_answer_is_forced_or_there_is_none() -> None:
    solver = toy_solver(DOUBTING, RIGHT, limits=(2, 6, WHOLE), chains=2)
    found = measure_limits(task(), solver)
    right = {(p.strategy, p.budget): p.right.mean() for p in found.points}
    # two tokens are no whole step: the answer without any thought is 7
    assert right == {
        (CUT, 2): 0, (FORCED, 2): 0, (CUT, 6): 0, (FORCED, 6): 1, (CUT, WHOLE): 1, (FORCED, WHOLE): 1
    }  # fmt: skip
    tokens = {(p.strategy, p.budget): p.generated.mean() for p in found.points}
    assert [tokens[CUT, n] for n in (2, 6, WHOLE)] == [2, 6, WHOLE]
    assert [tokens[FORCED, n] for n in (2, 6, WHOLE)] == [2 + len("7\n"), 6 + len("3\n"), WHOLE]
    assert found.flops == [2 * p.generated.mean() for p in found.points], "no reward model looked at them"


def test_waits_turn_right_into_wrong_and_back_and_cost_their_tokens() -> None:
    solver = toy_solver(DOUBTING, RIGHT, waits=(1, 2), chains=2)
    found, rows = measure_extension(task(), solver)
    assert [row["accuracy"] for row in rows] == [1.0, 0.0, 1.0]
    assert [row["right_to_wrong"] for row in rows] == [0.0, 1.0, 0.0]
    assert all(row["wrong_to_right"] == 0.0 and row["accuracy_error"] == 0.0 for row in rows)
    assert [row["extended"] for row in rows] == [1.0, 1.0, 1.0]
    assert (np.diff([row["tokens"] for row in rows]) > 0).all() and rows[0]["tokens"] == WHOLE
    assert [p.generated.mean() for p in found.points] == [row["tokens"] for row in rows]


def test_a_chain_that_cannot_doubt_again_keeps_its_last_answer() -> None:
    endless = {**DOUBTING, "q\nbad\nwait ": {"x" * 200: 1.0}}
    solver = toy_solver(endless, RIGHT, waits=(1, 4), chains=1)
    _, rows = measure_extension(task(), solver)
    assert [row["extended"] for row in rows] == [1.0, 0.0, 0.0]
    assert [row["accuracy"] for row in rows] == [1.0, 1.0, 1.0]


def test_four_ways_of_prompting_at_equal_tokens() -> None:
    solver = toy_solver(ASKED, RIGHT, problems=12, votes=16, tree="beam")
    sampled = measure_samples(task(), solver, 16)
    rows = {row["way"]: row for row in compare_prompting(task(), solver, sampled)}
    assert list(rows) == ["direct", "chain", "vote", "vote, PRM-weighted", "tree"]
    assert rows["direct"]["accuracy"] == 0.0 and rows["direct"]["generated"] == len("7\n")
    assert rows["chain"]["accuracy"] == pytest.approx(0.12, abs=0.1)
    assert rows["vote"]["accuracy"] == 0.0, "most chains share the misconception"
    assert rows["tree"]["accuracy"] > 0.8, "the PRM does not"
    assert rows["tree"]["generated"] <= rows["vote"]["generated"] * 1.001
    assert rows["tree"]["scored"] > 0 and rows["vote"]["scored"] == 0
    assert TABLE.items() <= ASKED.items()


@pytest.mark.parametrize(("votes", "samples"), [(12, 256), (16, 8)])
def test_votes_that_no_curve_has_a_point_for_are_refused(votes: int, samples: int) -> None:
    with pytest.raises(ValueError, match=f"votes={votes} .* at most samples={samples}"):
        ThinkingConfig(votes=votes, samples=samples)
