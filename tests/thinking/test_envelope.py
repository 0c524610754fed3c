from __future__ import annotations

import numpy as np

from o1_assets.thinking.difficulty import terciles
from o1_assets.thinking.envelope import envelope
from o1_assets.thinking.measure import Measured
from o1_assets.thinking.points import Point


def found(right: dict[str, tuple[np.ndarray, float]]) -> Measured:
    points = [
        Point(name, 1, values.astype(float), np.full(len(values), cost), np.zeros(len(values)))
        for name, (values, cost) in right.items()
    ]
    return Measured(points, [cost for _, cost in right.values()])


def test_the_best_for_the_compute_is_taken_and_never_one_that_knows_the_answer() -> None:
    one = np.ones(40)
    made = envelope(
        found({"direct": (0.1 * one, 1), "chain": (0.5 * one, 4), "worse": (0.4 * one, 8), "any right": (one, 2),
               "tree": (0.9 * one, 30)}), 10
    )  # fmt: skip
    assert [p.right.mean().round(3) for p in made.measured.points] == [0.1, 0.5]
    assert made.measured.flops == [1.0, 4.0] and made.chosen == ["direct 1", "chain 1"]


def test_what_is_chosen_by_luck_does_not_win_where_it_is_measured() -> None:
    """Fifty strategies that guess: the luckiest looks better than it is on the problems it was chosen on alone."""
    rng = np.random.default_rng(0)
    guesses = {f"g{i}": (rng.random(60) < 0.5, 1.0) for i in range(200)}
    best = max(values.mean() for values, _ in guesses.values())
    [point] = envelope(found(guesses), 60).measured.points
    assert best > 0.64
    assert point.right.mean() < best - 0.05


def test_levels_are_thirds_by_how_often_a_problem_is_solved() -> None:
    assert terciles(np.array([0.1, 0.9, 0.5, 0.2, 1.0, 0.6])).tolist() == [
        "hard", "easy", "medium", "hard", "easy", "medium"
    ]  # fmt: skip
