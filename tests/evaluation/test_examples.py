"""The solutions shown in the report are the ones they are said to be."""

from __future__ import annotations

import polars as pl

from o1_assets.evaluation.summary import choose_examples

PROBLEMS = pl.DataFrame({"problem_id": ["p"], "question": ["Calculate 2 * 3 - 5 + 1."], "answer": ["2"]})


RIGHT = ("a", ["2*3=6", "6-5=1", "1+1=2", "answer 2"], [1, 1, 1, 1], True, 0.6, 0.9)


CAUGHT = ("b", ["2*3=6", "5+1=6", "6-6=0", "answer 0"], [1, -1, -1, -1], False, 0.8, 0.1)


OBVIOUS = ("c", ["2*3=5", "5-5=0", "0+1=1", "answer 1"], [-1, -1, -1, -1], False, 0.1, 0.1)


CORRECTED = ("d", ["2*3=5", "wait 2*3=6", "6-5=1", "1+1=2", "answer 2"], [-1, 1, 1, 1, 1], True, 0.3, 0.5)


def pool(*rows: tuple[str, list[str], list[int], bool, float, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "solution_id": name, "problem_id": "p", "steps": steps, "ratings": ratings, "answer": "0",
                "correct": correct, "score_0": old, "score_3": new, "p_right_0": [old] * len(steps),
                "p_right_3": [new] * len(steps),
            }
            for name, steps, ratings, correct, old, new in rows
        ]
    )  # fmt: skip


def chosen(*rows: tuple[str, list[str], list[int], bool, float, float], first: int = 0) -> dict[str, float]:
    return {
        example["kind"]: example["newest_score"]
        for example in choose_examples(pool(*rows), PROBLEMS, first, 3, "wait", longest=9)
    }


def test_one_right_one_caught_and_one_corrected_are_shown() -> None:
    assert chosen(RIGHT, CAUGHT, OBVIOUS, CORRECTED) == {"right": 0.9, "caught": 0.1, "corrected": 0.5}


def test_caught_means_that_the_first_prm_believed_it_and_the_newest_does_not() -> None:
    (caught,) = (
        e
        for e in choose_examples(pool(RIGHT, CAUGHT, OBVIOUS), PROBLEMS, 0, 3, "wait", 9)
        if e["kind"] == "caught"
    )
    assert (caught["first_score"], caught["newest_score"]) == (0.8, 0.1)
    assert "PRM v0 believes it" in caught["title"] and "PRM v3 does not" in caught["title"]
    assert [step["rating"] for step in caught["steps"]] == [1, -1, -1, -1]


def test_where_none_was_caught_the_most_convincing_wrong_one_is_shown_as_such() -> None:
    assert "convincing" in chosen(RIGHT, OBVIOUS)
    assert "caught" not in chosen(RIGHT, CAUGHT, first=3), "one PRM cannot have learned since itself"


def test_a_correction_that_corrects_nothing_is_no_example() -> None:
    needless = ("e", ["2*3=6", "wait 2*3=6", "6-5=1", "answer 2"], [1, 0, 1, 1], True, 0.9, 0.95)
    assert "corrected" not in chosen(RIGHT, needless)
    assert chosen(RIGHT, needless)["right"] == 0.9, "and no plain right solution either"


def test_solutions_too_long_to_read_are_left_out() -> None:
    assert choose_examples(pool(RIGHT, CORRECTED), PROBLEMS, 0, 3, "wait", longest=2) == []
