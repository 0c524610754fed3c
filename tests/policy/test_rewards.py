"""What steps are worth, and that the known ways to cheat do not pay."""

import numpy as np
import pytest

from o1_assets.policy.config import RewardConfig
from o1_assets.policy.rewards import (
    minimum_advantages,
    minimum_credit,
    outcome_reward,
    process_advantages,
    process_rewards,
    repeated,
    step_rewards,
)

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


def test_lines_after_an_error_pay_in_the_sum_and_not_in_the_minimum() -> None:
    """Why smol takes the minimum: of solutions that are all wrong, the sum prefers those that go on for longer."""
    wrong = np.array([0.8, 0.05, 0.15])
    lines = [2, 2, 4, 4]
    process = [
        process_rewards(np.tile(wrong, (n, 1)), [f"{i}" for i in range(n)], RewardConfig()) for n in lines
    ]
    rewards = [step_rewards(p, -0.9, RewardConfig()) for p in process]
    ends, lengths = [[8 * (i + 1) - 1 for i in range(n)] for n in lines], [8 * n for n in lines]
    summed = process_advantages(rewards, ends, lengths, 0.1)
    least = minimum_advantages(rewards, ends, lengths, 0.1, 0.1)
    assert summed[0][0] < -1 and summed[-1][0] > 1
    assert max(abs(a[0]) for a in least) < 1e-3
