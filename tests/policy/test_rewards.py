"""What steps are worth, and that the known ways to cheat do not pay."""

import numpy as np
import pytest

from o1_assets.policy.config import RewardConfig
from o1_assets.policy.rewards import minimum_credit, outcome_reward, process_rewards, repeated, step_rewards

RIGHT, NEUTRAL, WRONG = [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]


CONFIG = RewardConfig()


def test_the_orm_rewards_the_last_step_and_the_prm_the_others() -> None:
    config = RewardConfig(outcome_weight=1.0)
    process = process_rewards(np.array([RIGHT, RIGHT, RIGHT]), ["2*3=6", "6+1=7", "answer 7"], config)
    np.testing.assert_allclose(
        step_rewards(process, outcome_reward(0.25, finished=True), config), [1, 1, -0.5]
    )


def test_process_alone_lets_the_prm_reward_every_step() -> None:
    config = RewardConfig(form="process")
    process = process_rewards(np.array([RIGHT, WRONG]), ["2*3=6", "answer 7"], config)
    np.testing.assert_allclose(step_rewards(process, 1.0, config), [1, -1])


def test_an_expected_rating_is_the_difference_of_positive_and_negative() -> None:
    config = RewardConfig(neutral_cost=0.5)
    np.testing.assert_allclose(process_rewards(np.array([[0.3, 0.2, 0.5]]), ["a"], config), [0.5 - 0.3 - 0.1])


def test_what_follows_a_wrong_step_is_neither_rewarded_nor_blamed() -> None:
    np.testing.assert_allclose(
        process_rewards(np.array([RIGHT, WRONG, RIGHT]), ["a", "b", "c"], CONFIG), [1, -1, 0], atol=1e-9
    )


def test_empty_verification_costs() -> None:
    rewards = process_rewards(np.array([RIGHT, NEUTRAL, RIGHT]), ["2*3=6", "check 2*3=6", "answer 6"], CONFIG)
    assert rewards[1] == -CONFIG.neutral_cost
    assert rewards[2] == 1


def test_repeating_a_step_that_the_prm_likes_costs_as_much_as_a_wrong_one() -> None:
    steps = ["2*3=6", "2*3=6", "2*3=6 ", "2*3=6"]
    np.testing.assert_array_equal(process_rewards(np.array([RIGHT] * 4), steps, CONFIG), [1, 1, -1, -1])


def test_an_empty_step_counts_as_repeated() -> None:
    assert repeated(["a", " ", "b"], limit=2).tolist() == [False, True, False]


def test_a_solution_that_never_ends_has_the_lowest_outcome() -> None:
    assert outcome_reward(0.99, finished=False) == -1


def test_minimum_credit_goes_to_the_worst_step() -> None:
    np.testing.assert_allclose(minimum_credit(np.array([0.5, -0.5, 0.5]), 0.01), [0, 1, 0], atol=1e-9)
    assert minimum_credit(np.array([0.1, 0.2, 0.3]), 0.1).sum() == pytest.approx(1)


def test_probabilities_must_match_the_steps() -> None:
    with pytest.raises(ValueError, match="2 steps, but step probabilities"):
        process_rewards(np.array([RIGHT]), ["a", "b"], CONFIG)
