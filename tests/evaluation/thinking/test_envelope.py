from __future__ import annotations

import numpy as np

from o1_assets.evaluation.thinking.evaluate import envelope
from o1_assets.evaluation.thinking.measure import MeasuredPoints
from o1_assets.evaluation.thinking.points import Point
from o1_assets.evaluation.versions import terciles


def found(right: dict[str, tuple[np.ndarray, float]]) -> MeasuredPoints:
    points = [
        Point(name, 1, values.astype(float), np.full(len(values), cost), np.zeros(len(values)))
        for name, (values, cost) in right.items()
    ]
    return MeasuredPoints(points, [cost for _, cost in right.values()])


def test_the_best_for_the_compute_is_taken_and_never_one_that_knows_the_answer() -> None:
    one = np.ones(40)
    made = envelope(
        found({"consistency": (0.1 * one, 1), "beam": (0.5 * one, 4), "dvts": (0.4 * one, 8), "any right": (one, 2),
               "mcts": (0.9 * one, 30), "chain, answer forced": (0.05 * one, 0.5)}), 10
    )  # fmt: skip
    assert [p.right.mean().round(3) for p in made.measured.points] == [0.1, 0.5, 0.9]
    assert made.measured.flops == [1.0, 4.0, 30.0]
    assert made.chosen == ["consistency 1", "beam 1", "mcts 1"]


def test_what_is_chosen_by_luck_does_not_win_where_it_is_measured() -> None:
    """Two hundred budgets that guess: the luckiest looks better than it is on the problems it was chosen on alone."""
    rng = np.random.default_rng(0)
    guesses = [rng.random(60) < 0.5 for _ in range(200)]
    best = max(values.mean() for values in guesses)
    points = [
        Point("beam", i, guess.astype(float), np.ones(60), np.ones(60)) for i, guess in enumerate(guesses)
    ]
    [point] = envelope(MeasuredPoints(points, [1.0] * len(points)), 60).measured.points
    assert best > 0.64
    assert point.right.mean() < best - 0.05


def test_levels_are_thirds_by_how_often_a_problem_is_solved() -> None:
    assert terciles(np.array([0.1, 0.9, 0.5, 0.2, 1.0, 0.6])).tolist() == [
        "hard", "easy", "medium", "hard", "easy", "medium"
    ]  # fmt: skip
