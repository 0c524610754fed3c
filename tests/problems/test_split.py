from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1_assets.problems.canonical import canonical, problem_id
from o1_assets.problems.config import (
    ArithmeticFilter,
    FileSource,
    Generator,
    Gsm8kSource,
    ProblemsConfig,
    ReasoningGymSource,
    uniform,
)
from o1_assets.problems.expression import Expression
from o1_assets.problems.problem import ProblemError, RawProblem
from o1_assets.problems.split import allowed, make_test, make_train, quotas, take
from tests.problems.conftest import Make

FLAT = {"allow_parentheses": False, "operators": ["+", "-", "*"], "min_digits": 1, "max_digits": 1}


def nano(**changes: object) -> ProblemsConfig:
    generator = Generator(
        name="basic_arithmetic",
        parameters={**FLAT, "min_terms": 3, "max_terms": 6, "format_style": "natural"},
    )
    base = ProblemsConfig(
        source=ReasoningGymSource(generators=(generator,)),
        train=200,
        test=40,
        arithmetic=ArithmeticFilter(min_terms=3, max_terms=6, max_value=99, one_of=("-", "*")),
        shares=uniform(3, 6),
    )
    return base.model_copy(update=changes)


class Listed:
    """A source of the problems given, in their order."""

    endless = False

    def __init__(self, questions: list[str]) -> None:
        self.questions = questions

    def problems(self, seed: int) -> Iterator[RawProblem]:
        for question in self.questions:
            yield RawProblem(question, "1", canonical(question), "math", 0, "listed")


def taken(questions: list[str], side: str) -> set[str]:
    """Everything of one side: asked for one more than there can be, it tells how many there were."""
    config = ProblemsConfig(source=FileSource(path="unused"), train=1, test=1, test_fraction=0.4)
    for size in range(len(questions), 0, -1):
        try:
            return {p.canonical for p in take(Listed(questions), config, side, size, 0).problems}
        except ProblemError:
            continue
    return set()


questions = st.lists(st.builds("{}{} {} {}{}".format, st.sampled_from(["What is ", "Calculate ", "compute  "]),
                               st.integers(0, 5), st.sampled_from("+-*"), st.integers(0, 5),
                               st.sampled_from(["?", ".", " = ?"])), min_size=1, max_size=20)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(questions, questions)
def test_no_wording_leaks_and_growing_or_reordering_the_source_moves_nothing(
    old: list[str], new: list[str]
) -> None:
    train, test = taken(old, "train"), taken(old, "test")
    assert not train & test
    assert train | test == {canonical(q) for q in old}
    grown = [*reversed(new), *reversed(old)]
    assert train <= taken(grown, "train")
    assert test <= taken(grown, "test")


def test_nano_has_its_shares_distinct_content_and_right_answers(make: Make) -> None:
    outcome, train, _ = make(make_train, nano())
    _, test, _ = make(make_test, nano())
    assert outcome.rows == len(train) == 200
    assert len(test) == 40
    assert set(train["difficulty"].value_counts()["count"]) == {50}
    both = pl.concat([train, test])
    expressions = [Expression.parse(json.loads(m)["metadata"]["expression"]) for m in both["metadata"]]
    assert len({str(e) for e in expressions}) == len(both)
    assert [str(e.value()) for e in expressions] == both["answer"].to_list()
    assert both["problem_id"].to_list() == [problem_id(str(e).replace(" ", "")) for e in expressions]
    assert train["problem_id"].is_sorted()
    assert outcome.figures["answers_corrected"] not in (0, None), "reasoning_gym works from left to right"
    assert outcome.figures["difficulty_3"] == 50
    assert "metadata" not in outcome.sample[0]


def test_the_same_inputs_give_the_same_bytes_and_another_seed_others(make: Make) -> None:
    _, _, first = make(make_train, nano(), seed=1)
    assert make(make_train, nano(), seed=1)[2] == first
    assert make(make_train, nano(), seed=2)[2] != first


def test_whatever_the_seed_nothing_of_test_is_in_train(make: Make) -> None:
    train = make(make_train, nano(train=600), seed=3)[1]
    test = make(make_test, nano(test=150), seed=4)[1]
    assert not set(train["problem_id"]) & set(test["problem_id"])


def test_a_source_with_too_few_problems_says_how_many_and_what_to_do(make: Make) -> None:
    config = nano(
        arithmetic=ArithmeticFilter(min_terms=3, max_terms=6, max_value=3),
        shares={3: 1.0, 6: 1.0},
        train=2_000,
        patience=300,
    )
    with pytest.raises(
        ProblemError, match=r"only \d+ of the 2000 distinct train .* of difficulty .*; ask for fewer"
    ) as error:
        make(make_train, config)
    remedy = (
        "ask for fewer (problems.train), or widen problems.source or problems.arithmetic or problems.shares."
    )
    assert remedy in str(error.value), "it names the settings"


def test_quotas_add_up_and_follow_the_shares() -> None:
    assert quotas(10, None) == {None: 10}
    assert quotas(10, {3: 1, 4: 1, 5: 1}) == {3: 4, 4: 3, 5: 3}
    assert quotas(8, {1: 3, 2: 1}) == {1: 6, 2: 2}


@pytest.mark.parametrize(
    ("text", "rule", "kept"),
    [
        ("9 * 9 + 1", ArithmeticFilter(max_value=81), False),
        ("9 * 9 - 1", ArithmeticFilter(max_value=81), True),
        ("9 * 9 - 99", ArithmeticFilter(max_value=81), False),
        ("1 - 2 * 9 * 9", ArithmeticFilter(max_value=100), False),
        ("5 * 3", ArithmeticFilter(max_factor=4), False),
        ("5 + 3 * 4", ArithmeticFilter(max_factor=4), True),
        ("5 + 3", ArithmeticFilter(one_of=("-", "*")), False),
        ("5 - 3", ArithmeticFilter(one_of=("-", "*")), True),
        ("5 - 3", ArithmeticFilter(min_terms=3), False),
        ("5 - 3 + 1", ArithmeticFilter(max_terms=2), False),
    ],
)
def test_the_filter_keeps_what_it_says(text: str, rule: ArithmeticFilter, kept: bool) -> None:
    assert allowed(Expression.parse(text), rule) is kept
    assert not allowed(None, rule)


def test_several_generators_mix_and_other_than_arithmetic_keep_their_scorer(make: Make) -> None:
    source = ReasoningGymSource(
        generators=(Generator(name="gcd", weight=3), Generator(name="simple_equations"))
    )
    table = make(make_train, ProblemsConfig(source=source, train=60, test=5))[1]
    assert 30 < (table["grader"] == "reasoning_gym:gcd").sum() < 60
    assert json.loads(table["metadata"][0])["question"] == table["question"][0]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("no_such", {}, "has no generator 'no_such'"),
        ("gcd", {"min_nmbers": 2}, "refuses its parameters"),
        ("time_intervals", {}, "present date"),
        ("rearc", {}, "does not accept its own answer"),
    ],
)
def test_a_generator_that_cannot_be_used_says_why(
    name: str, parameters: dict[str, object], message: str
) -> None:
    from o1_assets.problems.reasoning_gym_source import ReasoningGymProblems

    with pytest.raises(ProblemError, match=message):
        ReasoningGymProblems(ReasoningGymSource(generators=(Generator(name=name, parameters=parameters),)))


def test_the_seed_of_a_generator_is_not_the_profiles_to_choose() -> None:
    with pytest.raises(ValueError, match="seed and size of parameters cannot be set"):
        Generator(name="gcd", parameters={"seed": 1, "size": 2})


def test_wordings_of_one_equation_or_date_are_one_problem() -> None:
    from o1_assets.problems.reasoning_gym_source import _problem

    entry = {
        "question": "Solve for x: 2*x = 4",
        "answer": "2",
        "metadata": {"equation": "2*x = 4", "variable": "x"},
    }
    other = {**entry, "question": "Find the value of x in the equation: 2*x = 4"}
    generator = Generator(name="simple_equations")
    problems = [_problem(generator, 0, item) for item in (entry, other)]
    assert all(isinstance(problem, RawProblem) for problem in problems)
    assert len({problem.canonical for problem in problems if isinstance(problem, RawProblem)}) == 1


def test_gsm8ks_published_test_set_stays_out_of_train(make: Make, gsm8k: str) -> None:
    config = ProblemsConfig(source=Gsm8kSource(folder=gsm8k), train=7_000, test=1_000)
    train, test = make(make_train, config)[1], make(make_test, config)[1]
    published = {canonical(json.loads(line)["question"]) for line in (Path(gsm8k) / "test.jsonl").open()}
    assert {canonical(q) for q in test["question"]} <= published
    assert not {canonical(q) for q in train["question"]} & published
    assert set(train["grader"]) == {"math"}


def test_gsm8k_can_be_split_by_content_too(make: Make, gsm8k: str) -> None:
    config = ProblemsConfig(source=Gsm8kSource(folder=gsm8k, official_split=False), train=6_000, test=1_500)
    train, test = make(make_train, config)[1], make(make_test, config)[1]
    assert not set(train["problem_id"]) & set(test["problem_id"])


def test_a_problem_whose_own_answer_cannot_be_graded_is_left_out() -> None:
    config = ProblemsConfig(source=FileSource(path="unused"), train=1, test=1, test_fraction=0.01)

    class Source(Listed):
        def problems(self, seed: int) -> Iterator[RawProblem]:
            for i, problem in enumerate(super().problems(seed)):
                yield replace(problem, answer="???") if i == 0 else problem

    got = take(Source(["how many?", "how many more?"]), config, "train", 1, 0)
    assert [p.question for p in got.problems] == ["how many more?"]
    assert [row.reason for row in got.left_out] == ["its own answer is refused by the grader"]
    refuse = config.model_copy(update={"ungradable": "refuse"})
    with pytest.raises(
        ProblemError, match=r"listed, 'how many\?': its own answer .*'\?\?\?'.*; write the answer"
    ):
        take(Source(["how many?", "how many more?"]), refuse, "train", 1, 0)


def test_problems_do_not_depend_on_the_hash_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """isomorphic_strings walks through a set of letters; two processes would draw other problems."""
    from o1_assets.problems.reasoning_gym_source import ReasoningGymProblems

    config = ReasoningGymSource(generators=(Generator(name="isomorphic_strings"),))

    def questions(hash_seed: str) -> list[str]:
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        return [problem.question for problem in islice(ReasoningGymProblems(config).problems(1), 5)]

    assert questions("1") == questions("2")


def test_the_order_of_a_configurations_keys_changes_no_byte(make: Make) -> None:
    """A manifest keeps its configuration sorted, so a replay reads it in another order."""
    parameters = dict(nano().source.generators[0].parameters)
    turned = Generator(name="basic_arithmetic", parameters=dict(reversed(parameters.items())))
    other = nano(source=ReasoningGymSource(generators=(turned,)))
    assert make(make_test, nano())[2] == make(make_test, other)[2]
