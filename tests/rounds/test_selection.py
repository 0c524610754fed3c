from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1_assets.core.engine import Sample
from o1_assets.engine.steps import StepsDiffer, split_steps
from o1_assets.rounds.choose import CONDEMNED, REST, WRONG, choose_from_files, choose_mistaken, choose_uniform
from o1_assets.rounds.config import SelectionConfig
from o1_assets.rounds.selection import sample_alternatives
from tests.engine.models import byte_level


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
    picked = choose_mistaken(solutions, n=4, per_problem=1, wrong_share=0.5)
    assert chosen(picked) == [("s1", WRONG), ("s2", WRONG), ("s3", REST), ("s0", REST)]


def test_the_rest_may_be_wrong_too_when_it_is_the_most_convincing() -> None:
    solutions = pool([("a", False, 0.9), ("b", False, 0.8), ("c", True, 0.1)])
    picked = choose_mistaken(solutions, n=2, per_problem=1, wrong_share=0.5)
    assert chosen(picked) == [("s0", WRONG), ("s1", REST)]


def test_a_lack_of_wrong_answers_is_filled_from_the_rest() -> None:
    solutions = pool([("a", True, 0.9), ("b", True, 0.8), ("c", False, 0.7)])
    picked = choose_mistaken(solutions, n=3, per_problem=1, wrong_share=1.0)
    assert chosen(picked) == [("s2", WRONG), ("s0", REST), ("s1", REST)]


def test_no_problem_is_chosen_more_often_than_allowed() -> None:
    solutions = pool([("a", False, 0.9), ("a", False, 0.8), ("a", True, 0.99), ("b", False, 0.1)])
    picked = choose_mistaken(solutions, n=4, per_problem=2, wrong_share=0.5)
    assert picked.filter(pl.col("problem_id") == "a").height == 2
    assert picked.height == 3


@pytest.mark.parametrize(
    ("n", "per_problem", "expected"),
    [
        # Half of four: the two right ones with the lowest scores, of which "a" is the lower.
        (4, 2, [("s1", WRONG), ("s2", CONDEMNED), ("s4", CONDEMNED), ("s0", REST)]),
        # A place that a wrong one has taken is taken for the right ones of its problem too.
        (2, 1, [("s1", WRONG), ("s4", CONDEMNED)]),
    ],
)
def test_a_share_goes_to_right_answers_with_the_lowest_scores(
    n: int, per_problem: int, expected: list[tuple[str, str]]
) -> None:
    solutions = pool(
        [("b", True, 0.9), ("a", False, 0.8), ("a", True, 0.1), ("c", False, 0.3), ("b", True, 0.4)]
    )
    picked = choose_mistaken(solutions, n, per_problem, wrong_share=0.6, condemned_share=0.5)
    assert chosen(picked) == expected


def test_right_answers_below_the_floor_are_luck_and_take_no_place() -> None:
    solutions = pool([("a", True, 0.001), ("a", True, 0.2), ("b", True, 0.3), ("c", True, 0.9)])
    picked = choose_mistaken(solutions, 2, 1, 0.5, condemned_share=1.0, condemned_floor=0.01)
    assert chosen(picked) == [("s1", CONDEMNED), ("s2", CONDEMNED)]


def test_uniform_choice_depends_on_the_seed_alone() -> None:
    solutions = pool([(f"p{i % 10}", i % 2 == 0, 0.5) for i in range(60)])
    first = choose_uniform(solutions, n=12, per_problem=2, seed=1)
    assert first.equals(choose_uniform(solutions, n=12, per_problem=2, seed=1))
    assert not first.equals(choose_uniform(solutions, n=12, per_problem=2, seed=2))
    assert first.group_by("problem_id").len()["len"].max() <= 2  # type: ignore[operator]


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.booleans(),
        st.one_of(st.sampled_from([0.1, 0.5, 1.0]), st.floats(0, 1, allow_subnormal=False)),
    ),
    min_size=1,
    max_size=60,
)


@given(
    rows=ROWS,
    n=st.integers(1, 20),
    per_problem=st.integers(1, 4),
    wrong_share=st.floats(0, 1),
    condemned=st.sampled_from([(0.0, 0.0), (0.3, 0.1), (0.7, 0.4)]),
)
@settings(max_examples=40, deadline=None)
def test_files_larger_than_memory_give_the_choice_that_memory_gives(
    rows: list[tuple[str, bool, float]],
    n: int,
    per_problem: int,
    wrong_share: float,
    condemned: tuple[float, float],
) -> None:
    """Ties at the mark, files in any number, problems with fewer solutions than the limit."""
    solutions = pool(rows)
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name) / "a.parquet", Path(name) / "b.parquet"]
        solutions[: len(rows) // 2].write_parquet(files[0])
        solutions[len(rows) // 2 :].write_parquet(files[1])
        spill = Path(name) / "spill"
        picked = choose_from_files(files, n, per_problem, wrong_share, spill, *condemned)
    assert picked.equals(choose_mistaken(solutions, n, per_problem, wrong_share, *condemned))


class Echo:
    """An engine that writes a blank line of spaces, then a step; it keeps the prompts that it was given."""

    def __init__(self) -> None:
        self.tokenizer: Any = byte_level()
        self.asked: list[str] = []

    def sample(self, prompts: Any, params: Any, seeds: Any) -> list[Sample]:
        self.asked += [self.tokenizer.decode(prompt) for prompt in prompts]
        texts = ["\u3000\n", "7\n"] * len(prompts)
        written = [self.tokenizer.encode(text) for text, _ in zip(texts, prompts, strict=False)]
        return [Sample(ids, [0.0] * len(ids), True) for ids in written]


THREE = SelectionConfig(strategy="uniform", solutions=1, per_problem=1, completions=3, max_step_tokens=8)

# A no-break, an ideographic and a zero-width space are no step; what ends a line elsewhere does not end one here.
ODD = "3\u2028=3\n\u00a0\n\u3000\n4\x1c=4\n\u200b\nanswer 7\n"


def solution(engine: Echo, text: str, steps: list[str]) -> pl.DataFrame:
    ids = engine.tokenizer.encode(text)
    prompt = engine.tokenizer.encode("?")
    row = {"solution_id": "s", "problem_id": "p", "steps": steps, "token_ids": ids, "prompt": prompt}
    return pl.DataFrame([row])


def test_alternatives_continue_a_solution_where_its_steps_end_whatever_spaces_are_in_it() -> None:
    engine: Any = Echo()
    completions, _ = sample_alternatives(engine, solution(engine, ODD, split_steps(ODD)), THREE, 0)
    steps = ["3\u2028=3", "4\x1c=4", "answer 7"]
    assert completions.filter(completion=0)["text"].to_list() == steps
    assert completions.filter(completion=1)["text"].to_list() == ["7"] * 3, "and blank ones are not listed"
    ends = [0, ODD.index("\n") + 1, ODD.index("=4") + 3]
    assert engine.asked == ["?" + ODD[:end] for end in ends for _ in range(2)]


def test_steps_that_are_not_those_of_the_tokens_are_refused() -> None:
    engine: Any = Echo()
    with pytest.raises(StepsDiffer, match="solution s has 2 steps and 3 values"):
        sample_alternatives(engine, solution(engine, ODD, ["3=3", "4=4"]), THREE, 0)
