"""Advantages against numbers worked out by hand."""

import numpy as np
import pytest

from o1_assets.policy.rewards import (
    minimum_advantages,
    normalise,
    outcome_advantages,
    process_advantages,
    returns_to_go,
)


def test_outcome_advantages_are_standard_scores_of_the_group() -> None:
    # mean 1/2, population standard deviation 1/2
    np.testing.assert_allclose(outcome_advantages([1, 0, 0, 1]), [1, -1, -1, 1])
    # mean 2, deviations -2 0 1 1: variance 6/4
    np.testing.assert_allclose(outcome_advantages([0, 2, 3, 3]), np.array([-2, 0, 1, 1]) / np.sqrt(1.5))


def test_a_group_that_agrees_gives_no_signal() -> None:
    np.testing.assert_allclose(outcome_advantages([0.7, 0.7, 0.7]), [0, 0, 0], atol=1e-9)
    np.testing.assert_array_equal(outcome_advantages([0.7]), [0])


def test_differences_below_the_floor_are_not_blown_up() -> None:
    np.testing.assert_allclose(normalise([0.49, 0.51], std_floor=0.1), [-0.1, 0.1])
    np.testing.assert_allclose(normalise([0.49, 0.51], std_floor=1e-6), [-1, 1])


def test_a_token_gets_the_steps_that_end_at_or_after_it() -> None:
    # steps end at tokens 1, 3, 4; token 5 is the end token
    got = returns_to_go(np.array([1.0, 10.0, 100.0]), ends=[1, 3, 4], length=6)
    np.testing.assert_allclose(got, [111, 111, 110, 110, 100, 100])


def test_process_advantages_normalise_all_steps_of_the_group_together() -> None:
    # rewards 1, -1 | 1, 1, -2: mean 0, variance (1 + 1 + 1 + 1 + 4) / 5 = 8/5
    first, second = process_advantages(
        [np.array([1.0, -1.0]), np.array([1.0, 1.0, -2.0])], ends=[[1, 2], [0, 2, 3]], lengths=[3, 5]
    )
    std = np.sqrt(8 / 5)
    np.testing.assert_allclose(first, np.array([0, 0, -1]) / std, atol=1e-12)
    np.testing.assert_allclose(second, np.array([0, -1, -1, -2, -2]) / std, atol=1e-12)


def test_the_first_tokens_advantages_sum_to_zero_over_the_group() -> None:
    rng = np.random.default_rng(0)
    rewards = [rng.normal(size=n) for n in (2, 5, 3)]
    ends = [[2 * s + 1 for s in range(len(r))] for r in rewards]
    got = process_advantages(rewards, ends, [2 * len(r) for r in rewards])
    assert sum(a[0] for a in got) == pytest.approx(0, abs=1e-12)


def test_the_minimum_form_blames_the_worst_step_and_spares_what_follows() -> None:
    rewards = [np.array([0.9, -0.9, 0.9]), np.array([0.9, 0.9, 0.9])]
    bad, good = minimum_advantages(rewards, ends=[[0, 1, 2], [0, 1, 2]], lengths=[3, 3], temperature=0.01)
    # minima -0.9 and 0.9 normalise to -1 and 1; the good solution's credit is shared by its equal steps
    np.testing.assert_allclose(bad, [-1, -1, 0], atol=1e-6)
    np.testing.assert_allclose(good, [1, 2 / 3, 1 / 3], atol=1e-6)


def test_one_value_a_step_is_required() -> None:
    with pytest.raises(ValueError, match="2 step values, 1 step ends"):
        returns_to_go(np.array([1.0, 2.0]), ends=[3], length=4)
