from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from o1_assets.reward.dataset import held_out
from o1_assets.search.q_value.calibration import brier_score, calibration, calibration_error
from o1_assets.search.q_value.config import QValueConfig
from o1_assets.search.q_value.solved import Return, Solved, bootstrapped, returns
from o1_assets.search.q_value.train import draw_problems, part_of
from o1_assets.search.tree import Node, Tree


def grow(tree: Tree, parent: Node, text: str, answer: str | None = None, times: int = 0) -> Node:
    node = tree.add(parent, text, [len(tree.nodes)], 0.0)
    node.answer = answer
    for _ in range(times):
        tree.end(node)
    return node


@pytest.fixture
def solved() -> Solved:
    """root -> a -> (right, three times; wrong, once), root -> b -> (cut), root -> c (ended without an answer)."""
    tree = Tree("q", [1], 0)
    a, b = grow(tree, tree.root, "a"), grow(tree, tree.root, "b")
    grow(tree, a, "right", "1", 3)
    grow(tree, a, "wrong", "2", 1)
    grow(tree, b, "cut").cut = True
    grow(tree, tree.root, "c", None, 1)
    return Solved("p", tree, {"1": True, "2": False}, searched=False)


def test_the_return_of_a_step_is_the_share_of_right_ends_below_it(solved: Solved) -> None:
    assert returns(solved) == {1: Return(0.75, 4), 3: Return(1.0, 3), 4: Return(0.0, 1), 6: Return(0.0, 1)}


def test_the_target_is_the_best_step_after_it_and_the_outcome_at_an_end(solved: Solved) -> None:
    values = {1: 0.2, 2: 0.9, 3: 0.6, 4: 0.7, 5: 0.9}
    # b has no whole step after it, so nothing is known of it; the value of an end is its outcome, not the guess
    assert bootstrapped(solved, values) == {1: 0.7, 3: 1.0, 4: 0.0, 6: 0.0}


def test_a_perfect_forecast_has_no_calibration_error() -> None:
    predicted = np.array([0.1, 0.1, 0.9, 0.9])
    table = calibration(predicted, predicted, np.ones(4), bins=10)
    assert table["predicted"].to_list() == [pytest.approx(0.1), pytest.approx(0.9)]
    assert calibration_error(table) == pytest.approx(0)
    assert brier_score(predicted, predicted, np.ones(4)) == pytest.approx(0.09)


def test_errors_count_by_their_weight_and_one_is_in_the_last_bin() -> None:
    predicted, happened = np.array([1.0, 0.0]), np.array([0.5, 0.0])
    table = calibration(predicted, happened, np.array([1.0, 3.0]), bins=4)
    assert table["weight"].to_list() == [3.0, 1.0]
    assert calibration_error(table) == pytest.approx(0.5 / 4)


def test_nothing_forecast_is_nothing_to_say() -> None:
    empty = np.zeros(0)
    assert calibration_error(calibration(empty, empty, empty, 5)) is None
    assert brier_score(empty, empty, empty) is None


def test_the_chances_are_scaled_and_judged_on_problems_that_the_start_was_not_trained_on() -> None:
    config = QValueConfig(problems=100, holdout=0.3, start_holdout=0.2)
    train = pl.DataFrame({"problem_id": [f"p{i}" for i in range(1000)]})
    drawn = draw_problems(train, config, seed=1)["problem_id"].to_list()
    parts = {
        part: {name for name in drawn if part_of(name, config) == part}
        for part in ("train", "scale", "judge")
    }
    assert len(set(drawn)) == 100 and len(parts["train"]) == 70 and min(map(len, parts.values())) > 5
    # The ORM keeps the same ones by the same hash.
    assert all(held_out(name, 0.2) for name in parts["scale"] | parts["judge"])
    assert not any(held_out(name, 0.2) for name in parts["train"])
