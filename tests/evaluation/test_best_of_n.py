"""Best-of-N, majority and pass@N against values worked out by hand or over all subsets."""

from __future__ import annotations

import time
from itertools import combinations
from math import comb

import numpy as np
import polars as pl
import pytest

from o1_assets.evaluation.best_of_n import (
    MAJORITY,
    NO_ANSWER,
    PASS,
    WEIGHTED,
    Pool,
    curves,
    exact_curves,
    expected_best_of_n,
    largest_fall,
    pass_at_k,
    powers_of_two,
)
from o1_assets.evaluation.statistics import paired


def pool(correct: list[list[int]], answers: list[list[int]], scores: list[list[float]]) -> Pool:
    return Pool(
        tuple(f"p{i}" for i in range(len(correct))),
        np.array(correct, dtype=bool),
        np.array(answers),
        {"prm": np.array(scores, dtype=float)},
    )


ONE = pool([[1, 0, 0, 1]], [[7, 3, 3, 7]], [[0.9, 0.95, 0.2, 0.1]])


def best_over_all_subsets(scores: list[float], correct: list[int], n: int) -> float:
    hits = [correct[max(c, key=lambda i: scores[i])] for c in combinations(range(len(scores)), n)]
    return sum(hits) / len(hits)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_exact_best_of_n_is_the_mean_over_all_subsets(n: int) -> None:
    scores, correct = [0.9, 0.95, 0.2, 0.1], [1, 0, 0, 1]
    exact = expected_best_of_n(np.array(scores), np.array(correct, dtype=bool), n)
    assert exact == pytest.approx(best_over_all_subsets(scores, correct, n))


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_pass_at_k_is_the_share_of_all_subsets_with_a_right_sample(k: int) -> None:
    correct = [1, 0, 0, 1]
    subsets = list(combinations(correct, k))
    assert pass_at_k(np.array(correct, dtype=bool), k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_a_fall_with_more_samples_is_measured_on_the_same_problems() -> None:
    """The wrong solution that the PRM likes best is among four samples more often than among two."""
    two = pool([[1, 0, 0, 1], [1, 1, 1, 1]], [[0] * 4] * 2, [[0.5, 0.95, 0.2, 0.6], [0.1] * 4])
    exact = exact_curves(two, "prm")
    assert {n: values.mean() for n, values in exact["prm"].items()} == pytest.approx(
        {1: 0.75, 2: 0.75, 4: 0.5}
    )
    assert exact[PASS][2].tolist() == pytest.approx([5 / 6, 1])
    fall = largest_fall(exact["prm"])
    assert (fall.difference, fall.problems) == (pytest.approx(0.25), 2)
    assert largest_fall(exact[PASS]).difference == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_random_subsets_come_close_to_the_exact_value(n: int) -> None:
    curve = curves(ONE, ["prm"], [n], subsets=20_000, seed=0)["prm"]
    exact = best_over_all_subsets([0.9, 0.95, 0.2, 0.1], [1, 0, 0, 1], n)
    assert curve.at(n) == pytest.approx(exact, abs=0.015)
    assert curve.std[0] == pytest.approx(np.sqrt(exact * (1 - exact)), abs=0.01)


def test_the_whole_pool_is_one_subset_and_has_no_spread() -> None:
    curve = curves(ONE, ["prm"], [4], subsets=50, seed=0)["prm"]
    assert (curve.at(4), curve.std[0]) == (0.0, 0.0)


def test_tied_scores_are_chosen_at_random_and_not_by_position() -> None:
    tied = pool([[1, 0, 0, 0]], [[1, 2, 3, 4]], [[0.5] * 4])
    assert curves(tied, ["prm"], [4], 8_000, seed=1)["prm"].at(4) == pytest.approx(0.25, abs=0.02)
    assert expected_best_of_n(tied.scores["prm"][0], tied.correct[0], 4) == 0.25


def test_majority_takes_the_most_frequent_answer() -> None:
    most_wrong = pool([[1, 0, 0, 0, 1]], [[0, 1, 1, 1, 0]], [[1, 1, 1, 1, 1]])
    assert curves(most_wrong, [MAJORITY], [5], 10, seed=0)[MAJORITY].at(5) == 0.0
    spread_out = pool([[1, 0, 0, 0, 1]], [[0, 1, 2, 3, 0]], [[1, 1, 1, 1, 1]])
    assert curves(spread_out, [MAJORITY], [5], 10, seed=0)[MAJORITY].at(5) == 1.0


def test_a_majority_tie_is_broken_at_random() -> None:
    assert curves(ONE, [MAJORITY], [4], 8_000, seed=2)[MAJORITY].at(4) == pytest.approx(0.5, abs=0.02)


def test_solutions_without_an_answer_do_not_vote() -> None:
    silent = pool([[1, 0, 0]], [[0, NO_ANSWER, NO_ANSWER]], [[0.1, 0.9, 0.9]])
    assert curves(silent, [MAJORITY], [3], 10, seed=0)[MAJORITY].at(3) == 1.0
    nobody = pool([[0, 0]], [[NO_ANSWER, NO_ANSWER]], [[0.1, 0.9]])
    assert curves(nobody, [MAJORITY], [2], 10, seed=0)[MAJORITY].at(2) == 0.0


def test_the_weighted_majority_weighs_votes_by_their_score() -> None:
    few_but_sure = pool([[1, 0, 0]], [[0, 1, 1]], [[0.9, 0.2, 0.3]])
    both = curves(few_but_sure, [MAJORITY, WEIGHTED + "prm"], [3], 10, seed=0)
    assert both[MAJORITY].at(3) == 0.0
    assert both[WEIGHTED + "prm"].at(3) == 1.0


def test_pass_at_n_agrees_with_the_unbiased_estimator() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((5, 16)) < 0.2
    many = Pool(tuple("abcde"), right, np.zeros((5, 16), dtype=int))
    curve = curves(many, [PASS], [1, 4], 4_000, seed=3)[PASS]
    exact = np.mean([1 - comb(16 - int(r.sum()), 4) / comb(16, 4) for r in right])
    assert curve.at(1) == pytest.approx(right.mean(), abs=0.01)
    assert curve.at(4) == pytest.approx(exact, abs=0.01)


def test_the_same_seed_gives_the_same_curve_and_another_seed_another() -> None:
    first, again, other = (curves(ONE, ["prm"], [2], 100, seed=s)["prm"] for s in (5, 5, 6))
    assert first.at(2) == again.at(2) != other.at(2)


def test_more_samples_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        curves(ONE, ["prm"], [8], 10, seed=0)


def test_a_full_evaluation_takes_less_than_five_seconds() -> None:
    rng = np.random.default_rng(0)
    big = Pool(
        tuple(map(str, range(300))), rng.random((300, 64)) < 0.6, rng.integers(0, 12, (300, 64)),
        {"prm": rng.random((300, 64)), "orm": rng.random((300, 64))},
    )  # fmt: skip
    start = time.process_time()
    curves(big, ["prm", "orm", MAJORITY, WEIGHTED + "prm", PASS], powers_of_two(64), 400, seed=0)
    assert time.process_time() - start < 5


def test_a_pool_from_a_table_is_ordered_and_codes_equal_answers_alike() -> None:
    table = pl.DataFrame(
        {
            "problem_id": ["b", "a", "a", "b"],
            "sample": [1, 1, 0, 0],
            "answer": ["4", "9", "9", None],
            "correct": [False, True, True, False],
            "orm": [None, 0.5, 0.25, float("nan")],
        }
    )
    made = Pool.from_frame(table, ["orm"])
    assert made.problem_ids == ("a", "b")
    assert made.answers[0, 0] == made.answers[0, 1]
    assert made.answers[1, 0] == NO_ANSWER
    assert made.scores["orm"].tolist() == [[0.25, 0.5], [-np.inf, -np.inf]]


def test_a_solution_without_an_answer_is_chosen_last() -> None:
    table = pl.DataFrame(
        {
            "problem_id": ["a"] * 3,
            "sample": [0, 1, 2],
            "answer": [None, "9", "8"],
            "correct": [False, True, False],
            "orm": [1.0, 0.2, 0.1],
        }
    )
    made = Pool.from_frame(table, ["orm"])
    assert made.scores["orm"].tolist() == [[-np.inf, 0.2, 0.1]]
    chosen = curves(made, ["orm", WEIGHTED + "orm"], [3], subsets=4, seed=0)
    assert {name: curve.at(3) for name, curve in chosen.items()} == {"orm": 1.0, WEIGHTED + "orm": 1.0}


def test_problems_with_unequal_numbers_of_samples_are_refused() -> None:
    table = pl.DataFrame(
        {"problem_id": ["a", "a", "b"], "sample": [0, 1, 0], "answer": ["1"] * 3, "correct": [True] * 3}
    )
    with pytest.raises(ValueError, match="same number of samples"):
        Pool.from_frame(table)


def test_the_paired_standard_error_is_over_problems() -> None:
    a, b = np.array([1.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, 0.0])
    result = paired(a, b)
    assert result.difference == 0.5
    assert result.standard_error == pytest.approx(np.std([1, 0, 0, 1], ddof=1) / 2)
    assert not result.above(2)
    seeds = paired(np.stack([a, a]), np.stack([b, b]))
    assert seeds == result, "repeating a seed must not make the error smaller"
