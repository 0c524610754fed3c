import numpy as np
import polars as pl
import pytest

from benchmarks.thinking import Curve, saving, tokens_to_reach


def rows(strategy: str, points: dict[int, float], problems: int = 200) -> list[dict[str, object]]:
    made = []
    for tokens, accuracy in points.items():
        right = (np.arange(problems) < round(accuracy * problems)).astype(float)
        made.append(
            {
                "model": "baby-o1",
                "strategy": strategy,
                "budget": 64 if strategy == "best-of-n" else tokens,
                "difficulty": "all",
                "accuracy": accuracy,
                "accuracy_error": 0.01,
                "generated": float(tokens),
                "right": right.tolist(),
            }
        )
    return made


def table(*parts: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame([row for part in parts for row in part])


def test_between_budgets_accuracy_is_a_line_over_the_logarithm_of_the_tokens():
    curve = Curve(np.array([100.0, 400.0]), np.array([[0.5], [0.7]]))
    assert tokens_to_reach(curve, np.array([0.6])) == pytest.approx([200.0])


def test_what_is_reached_at_once_costs_the_smallest_budget_and_what_never_is_costs_infinitely():
    curve = Curve(np.array([100.0, 400.0]), np.array([[0.5, 0.5], [0.7, 0.7]]))
    assert tokens_to_reach(curve, np.array([0.4, 0.8])).tolist() == [100.0, np.inf]


def test_the_first_crossing_counts_and_each_draw_has_its_own():
    curve = Curve(np.array([64.0, 128.0, 256.0]), np.array([[0.5, 0.1], [0.6, 0.2], [0.55, 0.6]]))
    assert tokens_to_reach(curve, np.array([0.6, 0.6])) == pytest.approx([128.0, 256.0])


def test_saving_is_that_of_the_best_tree_search_at_the_accuracy_of_best_of_64():
    points = table(
        rows("best-of-n", {1600: 0.6}),
        rows("beam", {100: 0.5, 400: 0.7}),
        rows("mcts", {800: 0.65}),
        rows("consistency", {10: 0.9}),  # no tree
    )
    found = saving(points, "baby-o1")
    assert found is not None
    assert found.strategy == "beam"
    assert found.times == pytest.approx(8.0)
    assert found.low <= found.times <= found.high < np.inf


def test_problems_are_drawn_anew_for_all_points_alike():
    """Two strategies that solve the same problems stay level however the problems are drawn."""
    points = table(rows("best-of-n", {1000: 0.6}), rows("beam", {250: 0.6}))
    found = saving(points, "baby-o1")
    assert found is not None
    assert (found.times, found.low, found.high) == (4.0, 4.0, 4.0)
    apart = saving(points.drop("right"), "baby-o1")
    assert apart is not None
    assert apart.low == 0.0  # independent errors: in many draws beam stays below


def test_a_search_that_never_gets_there_saves_nothing():
    assert saving(table(rows("best-of-n", {1000: 0.9}), rows("beam", {250: 0.6})), "baby-o1") is None
    assert saving(table(rows("beam", {250: 0.6})), "baby-o1") is None
