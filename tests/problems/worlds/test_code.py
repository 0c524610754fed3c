from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.problems.sandbox.unit_tests import UnitTest, run_tests
from o1_assets.problems.worlds.code import teacher
from o1_assets.problems.worlds.code.rules import INPUTS, Program, family, python_source, table
from o1_assets.problems.worlds.code.teacher import CodeCorpus
from o1_assets.problems.worlds.code.world import CodeWorld, failing_tests
from o1_assets.problems.worlds.registry import self_check

WORLD = CodeWorld()
QUESTION = "Write f: (1) f(6,3)=15 (2) f(2,5)=9 (3) f(4,4)=12"
METADATA = json.dumps({"world": "code", "question": QUESTION})
RIGHT = [
    "try a*b",
    "(1) f(6,3)=15: 18-3 c-b c-3",
    "(2) f(2,5)=9: 10-1 no",
    "try a+b",
    "(1) f(6,3)=15: 9+6 c+a c+6",
    "(2) f(2,5)=9: 7+2 c+a",
    "(3) f(4,4)=12: 8+4 c+a",
    "answer c=a+b;return c+a",
]


@pytest.mark.parametrize(
    "text",
    [
        *(str(program) for _, program in list(family().values())[:: len(family()) // 10]),
        "if a==6:return 15;if a==2:return -9;return 12",
        "c=a//b;if c>2:return c;return min(a,4)",
    ],
)
def test_a_program_computes_what_python_and_the_sandbox_do(text: str) -> None:
    program = Program.parse(text)
    assert program is not None and str(program) == text
    names: dict = {}
    exec(python_source(text), names)
    values = [names["f"](a, b) for a, b in INPUTS]
    assert tuple(values) == table(program)
    tests = [UnitTest(pair, value) for pair, value in zip(INPUTS, values, strict=True)]
    assert run_tests(python_source(text), tests[::4]).passed


@pytest.mark.parametrize(
    "text", ["", "return", "return c+1", "c=c+1;return c", "return a**b", "return a;", "x=1"]
)
def test_anything_else_is_no_program(text: str) -> None:
    assert Program.parse(text) is None


def test_the_shown_cases_tell_the_function_from_all_others() -> None:
    rng, config = Random(3), CodeCorpus()
    for _ in range(6):
        problem = WORLD.draw(config, rng)
        assert WORLD.parse(WORLD.question(problem)) == problem
        stored = WORLD.stored(json.dumps({"world": "code", "question": WORLD.question(problem)}))
        assert stored is not None and stored.reference is not None and len(stored.hidden) == 12
        assert not {case[:2] for case in stored.shown} & {case[:2] for case in stored.hidden}
        fitting = [kind for kind, program in family().values() if problem.fits(program)]
        assert fitting == [WORLD.difficulty(problem)]


def test_the_right_steps_are_right_to_the_end() -> None:
    problem = WORLD.stored(METADATA)
    assert problem is not None
    working = WORLD.start(problem)
    for step in RIGHT:
        # Of first lines it knows the best alone.
        assert [step] == WORLD.right_next_steps(working) or step == RIGHT[0]
        working, verdict = WORLD.take_step(working, step)
        assert verdict == (1, "right"), step
    assert WORLD.answer(problem) == "c=a+b;return c+a"


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([RIGHT[1]], "no_program"),
        ([RIGHT[0], "try a+b"], "unfinished"),
        ([*RIGHT[:3], RIGHT[0]], "repeated"),
        ([*RIGHT[:3], RIGHT[2]], "no_program"),
        ([RIGHT[3], RIGHT[5]], "case"),
        ([RIGHT[3], "(1) f(6,3)=16: 9+7 c+7"], "case"),
        ([*RIGHT[3:7], RIGHT[6]], "case"),
        ([RIGHT[3], "(1) f(6,3)=15: 8+7 c+7"], "values"),
        ([RIGHT[3], "(1) f(6,3)=15: 9+5 c+5"], "values"),
        ([RIGHT[3], "(1) f(6,3)=15: 9+6 c+a"], "verdict"),
        ([RIGHT[3], "(1) f(6,3)=15: 9+6 no"], "verdict"),
        ([*RIGHT[3:5], "(2) f(2,5)=9: 7+2 c+a c+2"], "verdict"),
        (["try c+a"], "unreadable"),
        (["try a=b"], "unreadable"),
        (["answer c=a+b;return c+2"], "answer"),
        (["answer import os"], "answer"),
        ([*RIGHT, RIGHT[0]], "after_answer"),
    ],
)
def test_the_kind_of_a_wrong_step(steps: list[str], kind: str) -> None:
    working = WORLD.start(WORLD.parse(QUESTION).graded())  # type: ignore[union-attr]
    for step in steps:
        working, verdict = WORLD.take_step(working, step)
    assert (verdict.rating, verdict.kind) == (-1, kind)


def test_a_list_of_the_shown_cases_passes_them_and_not_the_hidden_ones() -> None:
    problem = WORLD.parse(QUESTION)
    assert problem is not None
    listed = str(teacher.special_cases(problem))
    assert listed == "if a==6:return 15;if a==2:return 9;return 12"
    assert self_check(QUESTION, listed) and not failing_tests(problem, listed)
    assert not WORLD.solved_by(problem.graded(), listed)
    assert WORLD.solved_by(problem.graded(), "c=a*2;return c+b"), "another way to write it"
    assert failing_tests(problem, "return a+b") == [
        "f(6, 3) is 9, not 15", "f(2, 5) is 7, not 9", "f(4, 4) is 8, not 12",
    ]  # fmt: skip


def test_writers_are_wrong_in_their_ways_and_write_what_the_tokenizer_reads() -> None:
    config = CodeCorpus(solutions=120)
    held_out = WORLD.content(WORLD.draw(config, Random(5)))
    corpus = list(WORLD.draw_corpus(config, 5, {held_out}))
    tokenizer = make_tokenizer(512, WORLD.vocabulary)
    kinds: Counter[str] = Counter()
    solved = 0
    for question, steps in corpus:
        text = "".join(f"{line}\n" for line in (question, *steps))
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids and tokenizer.decode(ids) == text
        problem = WORLD.parse(question)
        assert problem is not None and WORLD.content(problem) != held_out
        working = WORLD.start(problem.graded())
        for step in steps:
            working, verdict = WORLD.take_step(working, step)
            kinds[verdict.kind] += 1
        solved += verdict.kind == "right"
    assert 0.45 < solved / len(corpus) < 0.75
    assert min(kinds[kind] for kind in ("values", "answer")) >= 3
    assert not kinds["unreadable"] + kinds["verdict"] + kinds["case"] + kinds["repeated"]


def test_a_writer_without_faults_solves_everything() -> None:
    faults = (
        "swapped_rate",
        "larger_rate",
        "sign_rate",
        "hasty_rate",
        "special_rate",
        "slip_rate",
        "direct_rate",
    )
    config, rng = CodeCorpus(**dict.fromkeys(faults, 0.0)), Random(1)
    for _ in range(30):
        problem = WORLD.draw(config, rng).graded()
        working = WORLD.start(problem)
        for step in WORLD.solve(problem, config, rng):
            working, verdict = WORLD.take_step(working, step)
            assert verdict.rating == 1, step


def test_what_answers_the_shown_cases_of_a_drawn_problem_passes_the_hidden_ones() -> None:
    rng, config = Random(2), CodeCorpus()
    for _ in range(200):
        problem = WORLD.draw(config, rng)
        assert WORLD.solved_by(problem.graded(), WORLD.answer(problem)), problem
