import numpy as np
import pytest

from o1_assets.reward.aggregate import log_score, right_probabilities, solution_score

STEPS = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])


def test_the_score_is_the_product_of_the_steps_probabilities_of_being_right():
    assert solution_score(STEPS) == pytest.approx(0.9 * 0.5)


def test_neutral_can_count_as_wrong():
    assert solution_score(STEPS, neutral="wrong") == pytest.approx(0.7 * 0.25)
    assert right_probabilities(STEPS, "wrong").tolist() == [0.7, 0.25]


def test_the_minimum_is_that_of_the_worst_step():
    assert solution_score(STEPS, "minimum") == pytest.approx(0.5)


def test_a_solution_without_steps_scores_nothing():
    assert solution_score(np.zeros((0, 3))) == 0.0
    assert solution_score(np.zeros((0, 3)), "minimum") == 0.0


def test_long_solutions_are_still_ranked_when_their_products_are_too_small_for_a_float():
    worse, better = np.tile([0.99, 0.0, 0.01], (200, 1)), np.tile([0.98, 0.0, 0.02], (200, 1))
    assert solution_score(worse) == solution_score(better) == 0.0
    assert log_score(worse) < log_score(better)


def test_a_step_that_is_surely_wrong_gives_a_finite_logarithm():
    assert np.isfinite(log_score([[1.0, 0.0, 0.0]]))
