from __future__ import annotations

import numpy as np
import pytest

from o1_assets.evaluation.statistics import interval, simplest_unbeaten


def runs(rng: np.random.Generator, seeds: int = 3, problems: int = 40, shift: float = 0.0) -> np.ndarray:
    """Values that vary with the problem (0.3), the training (0.05) and by themselves (0.1)."""
    return np.asarray(
        0.5
        + shift
        + 0.3 * rng.normal(size=(1, problems))
        + 0.05 * rng.normal(size=(seeds, 1))
        + 0.1 * rng.normal(size=(seeds, problems))
    )


def test_the_error_is_that_of_another_training_on_other_problems() -> None:
    rng = np.random.default_rng(0)
    found = [interval(runs(rng), 150, 1) for _ in range(200)]
    spread = np.std([one.mean for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.2)
    inside = np.mean([one.low <= 0.5 <= one.high for one in found])
    assert 0.88 <= inside <= 1.0


def test_what_problems_share_cancels_in_a_difference() -> None:
    rng = np.random.default_rng(0)
    problems = rng.normal(size=(1, 60))
    a, b = (problems + 0.05 * rng.normal(size=(3, 60)) + shift for shift in (0.0, 0.1))
    assert interval(a, 500, 0).error > 0.1 > 0.03 > interval(b - a, 500, 0).error
    assert interval(b - a, 500, 0).low > 0


def test_one_training_or_one_problem_is_no_basis_for_an_interval() -> None:
    for shape in ((1, 9), (3, 1)):
        with pytest.raises(ValueError, match="two seeds and two problems"):
            interval(np.zeros(shape), 10, 0)


def test_the_simplest_arm_wins_unless_another_is_better_by_more_than_noise() -> None:
    rng = np.random.default_rng(3)
    plain = runs(rng)
    noise = 0.02 * rng.normal(size=plain.shape)
    assert simplest_unbeaten({"plain": plain, "fancy": plain + noise}, 500, 0) == "plain"
    assert simplest_unbeaten({"plain": plain, "fancy": plain + noise + 0.1}, 500, 0) == "fancy"
    three = {"plain": plain, "fancy": plain + 0.1 + noise, "fanciest": plain + 0.1 + noise[:, ::-1]}
    assert simplest_unbeaten(three, 500, 0) == "fancy"
