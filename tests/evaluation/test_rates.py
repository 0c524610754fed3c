"""Step F1, fooled rates and FLOPs, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from o1_assets.core.flops import flops_generate, flops_score, flops_train
from o1_assets.evaluation.best_of_n import Pool, fooled_on_pool, fooled_under_best_of_n
from o1_assets.evaluation.steps import (
    NO_ERROR,
    choose_threshold,
    cross_fitted_f1,
    predict_first_error,
    step_f1,
)


def test_flops_are_two_a_parameter_forward_and_six_in_training() -> None:
    assert (flops_generate(10, 3), flops_score(10, 3), flops_train(10, 3)) == (60, 60, 180)
    with pytest.raises(ValueError, match="negative"):
        flops_train(10, -1)


def test_the_first_step_below_the_threshold_is_the_predicted_error() -> None:
    assert predict_first_error([0.9, 0.4, 0.1], 0.5) == 1
    assert predict_first_error([0.9, 0.6], 0.5) == NO_ERROR


def test_f1_is_the_harmonic_mean_of_both_accuracies() -> None:
    truth = [2, 0, 1, 3, NO_ERROR, NO_ERROR]
    said = [2, 0, 2, NO_ERROR, NO_ERROR, 1]
    result = step_f1(said, truth)
    assert (result.accuracy_wrong, result.accuracy_right) == (0.5, 0.5)
    assert (result.wrong, result.right) == (4, 2)
    assert result.f1 == 0.5
    assert step_f1([2, NO_ERROR], [2, NO_ERROR]).f1 == 1.0
    assert step_f1([0, 0], [0, NO_ERROR]).f1 == 0.0, (
        "finding every error by reporting always is worth nothing"
    )
    assert step_f1([1, 0, NO_ERROR], [1, 1, NO_ERROR]).f1 == pytest.approx(2 * 0.5 * 1 / 1.5)


def test_the_threshold_separates_what_can_be_separated() -> None:
    p = [np.array([0.9, 0.3]), np.array([0.8, 0.7]), np.array([0.95, 0.75])]
    threshold = choose_threshold(p, [1, NO_ERROR, NO_ERROR])
    assert 0.3 < threshold <= 0.7
    assert threshold == pytest.approx(0.5, abs=0.02), "the middle of the plateau"


def test_a_problem_is_judged_with_the_threshold_of_the_other_half() -> None:
    """Half a needs a threshold under .5, half b one above: fitted on itself each would score 1."""
    p = [np.array([0.4, 0.2]), np.array([0.4, 0.4]), np.array([0.9, 0.6]), np.array([0.9, 0.9])]
    result, (for_a, for_b) = cross_fitted_f1(p, [1, NO_ERROR, 1, NO_ERROR], ["a", "a", "b", "b"])
    assert for_a > 0.6 > 0.4 > for_b
    assert result.f1 == 0.0


def test_fooled_on_a_pool_counts_wrong_solutions_above_the_median_right_one() -> None:
    scores = np.array([0.9, 0.5, 0.1, 0.6, 0.4, 0.5, 0.95])
    correct = np.array([1, 1, 1, 0, 0, 0, 0], dtype=bool)
    assert fooled_on_pool(scores, correct) == 0.5
    assert fooled_on_pool(scores, np.ones(7, dtype=bool)) is None


def test_fooled_under_pressure_looks_at_mixed_subsets_only() -> None:
    correct = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]], dtype=bool)
    scores = np.array([[0.1, 0.9, 0.2], [0.1, 0.9, 0.2], [0.5, 0.6, 0.7]])
    pool = Pool(("a", "b", "c"), correct, np.zeros((3, 3), dtype=int), {"prm": scores})
    assert fooled_under_best_of_n(pool, "prm", n=3, subsets=10) == 0.5
    all_right = Pool(("c",), correct[2:], np.zeros((1, 3), dtype=int), {"prm": scores[2:]})
    assert fooled_under_best_of_n(all_right, "prm", n=2, subsets=10) is None


def test_fooled_with_subsets_of_two_equals_the_share_of_misordered_pairs() -> None:
    correct = np.array([[1, 1, 0, 0]], dtype=bool)
    pool = Pool(("a",), correct, np.zeros((1, 4), dtype=int), {"prm": np.array([[0.9, 0.3, 0.5, 0.1]])})
    assert fooled_under_best_of_n(pool, "prm", n=2, subsets=20_000) == pytest.approx(0.25, abs=0.01)
