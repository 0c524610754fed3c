from __future__ import annotations

import polars as pl

from o1_assets.rounds.selection import REST, WRONG, choose_convincing, choose_uniform


def pool(rows: list[tuple[str, bool, float]]) -> pl.DataFrame:
    """rows: problem, correct, score; solutions are named s0, s1, ..."""
    return pl.DataFrame(
        [(f"s{i}", problem, correct, score) for i, (problem, correct, score) in enumerate(rows)],
        schema={
            "solution_id": pl.String,
            "problem_id": pl.String,
            "correct": pl.Boolean,
            "score": pl.Float64,
        },
        orient="row",
    )


def chosen(frame: pl.DataFrame) -> list[tuple[str, str]]:
    return list(frame.select("solution_id", "reason").iter_rows())


def test_most_are_the_most_convincing_wrong_answers_and_the_rest_the_most_convincing_of_what_remains() -> (
    None
):
    solutions = pool(
        [("a", True, 0.9), ("b", False, 0.8), ("c", False, 0.7), ("d", True, 0.95), ("e", False, 0.1)]
    )
    picked = choose_convincing(solutions, n=4, per_problem=1, wrong_share=0.5)
    assert chosen(picked) == [("s1", WRONG), ("s2", WRONG), ("s3", REST), ("s0", REST)]


def test_the_rest_may_be_wrong_too_when_it_is_the_most_convincing() -> None:
    solutions = pool([("a", False, 0.9), ("b", False, 0.8), ("c", True, 0.1)])
    picked = choose_convincing(solutions, n=2, per_problem=1, wrong_share=0.5)
    assert chosen(picked) == [("s0", WRONG), ("s1", REST)]


def test_a_lack_of_wrong_answers_is_filled_from_the_rest() -> None:
    solutions = pool([("a", True, 0.9), ("b", True, 0.8), ("c", False, 0.7)])
    picked = choose_convincing(solutions, n=3, per_problem=1, wrong_share=1.0)
    assert chosen(picked) == [("s2", WRONG), ("s0", REST), ("s1", REST)]


def test_no_problem_is_chosen_more_often_than_allowed() -> None:
    solutions = pool([("a", False, 0.9), ("a", False, 0.8), ("a", True, 0.99), ("b", False, 0.1)])
    picked = choose_convincing(solutions, n=4, per_problem=2, wrong_share=0.5)
    assert picked.filter(pl.col("problem_id") == "a").height == 2
    assert picked.height == 3


def test_uniform_choice_depends_on_the_seed_alone() -> None:
    solutions = pool([(f"p{i % 10}", i % 2 == 0, 0.5) for i in range(60)])
    first = choose_uniform(solutions, n=12, per_problem=2, seed=1)
    assert first.equals(choose_uniform(solutions, n=12, per_problem=2, seed=1))
    assert not first.equals(choose_uniform(solutions, n=12, per_problem=2, seed=2))
    assert first.group_by("problem_id").len()["len"].max() <= 2  # type: ignore[operator]
