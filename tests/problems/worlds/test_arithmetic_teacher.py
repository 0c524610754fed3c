import re
from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from o1_assets.base.config import CorpusConfig
from o1_assets.problems.expression import OPERATION, Expression, apply
from o1_assets.problems.worlds.arithmetic.misconceptions import NAMES, ORDER, RESULT, explanations
from o1_assets.problems.worlds.arithmetic.teacher import Teacher, draw_corpus, draw_expression

FAULTLESS = CorpusConfig(
    solutions=300,
    misconception_scale=0.0,
    slip_rate=0.0,
    direct_rate=0.0,
    free_order_rate=0.5,
    check_rate=0.3,
)


def expression_of(question: str) -> Expression:
    return Expression.parse(re.sub(r"^[A-Za-z: ]+|[.?]$", "", question))


Error = tuple[Expression, int, str, int, int]


def first_error(question: str, steps: list[str]) -> Error | None:
    """(state, a, op, b, result) of the first step that is not a legal operation with its right result.

    Equal operations can stand at several places, so all states that the steps could have led to are followed.
    """
    states = {expression_of(question)}
    for match in filter(None, map(OPERATION.fullmatch, steps)):
        a, op, b, c = int(match[1]), match[2], int(match[3]), int(match[4])
        following = {s.reduce(i) for s in states for i in s.match(a, op, b) if i in s.legal_indices()}
        if not following or c != apply(a, op, b):
            ordered = sorted(states, key=str)
            return next((s for s in ordered if s.match(a, op, b)), ordered[0]), a, op, b, c
        states = following
    return None


def test_a_writer_without_misconceptions_is_always_right():
    for question, steps in draw_corpus(FAULTLESS, seed=1, exclude=()):
        assert steps[-1] == f"answer {expression_of(question).value()}"
        assert first_error(question, steps) is None


def test_checks_repeat_the_step_before_them_and_change_nothing():
    checks = 0
    for _, steps in draw_corpus(FAULTLESS, seed=2, exclude=()):
        for before, step in pairwise(steps):
            if step.startswith("check "):
                checks += 1
                assert step == "check " + before.partition(" left ")[0]
    assert checks > 100


def test_a_noticed_error_is_replaced_by_the_right_step():
    config = FAULTLESS.model_copy(
        update={"misconception_scale": 1.0, "slip_rate": 0.1, "notice_rate": 1.0, "check_rate": 0.0}
    )
    waits = 0
    for question, steps in draw_corpus(config, seed=3, exclude=()):
        assert steps[-1] == f"answer {expression_of(question).value()}"
        waits += sum(step.startswith("wait ") for step in steps)
    assert waits > 100


# Small factors leave no room for slips of the multiplication table and for carries in products.
WIDE = {"max_factor": 10, "max_value": 200}


@pytest.mark.parametrize(("limits", "occurring"), [({}, 25), (WIDE, 30)], ids=["nano", "wide"])
def test_most_errors_are_misconceptions_of_many_kinds_with_a_long_tail(limits, occurring):
    kinds: Counter[str] = Counter()
    for question, steps in draw_corpus(CorpusConfig(solutions=6_000, **limits), seed=4, exclude=()):
        error = first_error(question, steps)
        if error is not None:
            kinds[(explanations(*error) or ["slip"])[0]] += 1
    total = kinds.total()
    assert kinds["slip"] < 0.2 * total
    assert len(kinds) >= occurring
    ranked = [count for _, count in kinds.most_common()]
    assert ranked[0] > 0.15 * total
    assert sum(ranked[10:]) > 0.1 * total


@pytest.mark.parametrize("misconception", RESULT, ids=lambda m: m.name)
def test_a_wrong_rule_applies_somewhere_and_is_named_there(misconception):
    cases = [(a, b) for a in range(-12, 30) for b in range(-12, 30) if misconception.rule(a, b) is not None]
    wrong = [(a, b) for a, b in cases if misconception.rule(a, b) != apply(a, misconception.op, b)]
    assert len(wrong) > 0.7 * len(cases) > 0
    match = OPERATION.fullmatch(misconception.example)
    a, op, b, result = int(match[1]), match[2], int(match[3]), int(match[4])
    assert misconception.name in explanations(Expression((a, b), (op,)), a, op, b, result)


@pytest.mark.parametrize("misconception", ORDER, ids=lambda m: m.name)
def test_a_wrong_order_is_met_in_the_world_and_named_there(misconception):
    text, step = misconception.example.split(": ")
    match = OPERATION.fullmatch(step)
    a, op, b, result = int(match[1]), match[2], int(match[3]), int(match[4])
    assert misconception.name in explanations(Expression.parse(text), a, op, b, result)
    rng = Random(0)
    for _ in range(2_000):
        state = draw_expression(CorpusConfig(), rng)
        index = misconception.rule(state)
        if index is not None and index not in state.legal_indices():
            a, op, b = state.numbers[index], state.ops[index], state.numbers[index + 1]
            if all(i not in state.legal_indices() for i in state.match(a, op, b)):
                assert misconception.name in explanations(state, a, op, b, apply(a, op, b))
                return
    pytest.fail("never met in 2,000 expressions")


def test_right_steps_have_no_explanation():
    state = Expression.parse("3 + 4 * 5")
    assert explanations(state, 4, "*", 5, 20) == []
    assert explanations(state, 3, "+", 4, 7) == ["left_to_right"]


def test_names_are_unique_and_rates_fall_from_half_to_rare():
    assert len(set(NAMES)) == len(NAMES) >= 30
    rates = [m.rate for m in (*ORDER, *RESULT)]
    assert max(rates) <= 0.6
    assert min(rates) <= 0.03


def test_excluded_expressions_never_occur():
    config = CorpusConfig(solutions=400, max_terms=3, max_number=3)
    seen = [str(expression_of(q)).replace(" ", "") for q, _ in draw_corpus(config, seed=5, exclude=())]
    held_out = set(seen[::2])
    again = {str(expression_of(q)).replace(" ", "") for q, _ in draw_corpus(config, seed=5, exclude=held_out)}
    assert not again & held_out


def test_the_same_seed_writes_the_same_corpus():
    config = CorpusConfig(solutions=50)
    assert list(draw_corpus(config, 7, ())) == list(draw_corpus(config, 7, ()))
    assert list(draw_corpus(config, 7, ())) != list(draw_corpus(config, 8, ()))


def test_a_misconception_is_held_throughout_a_solution():
    config = FAULTLESS.model_copy(update={"misconception_scale": 1.0, "notice_rate": 0.0, "check_rate": 0.0})
    mixed = 0
    for seed in range(200):
        steps = Teacher(config, Random(seed)).solve(Expression.parse("1 - 5 + 0 + 9 * 1 + 4 * 1"))
        times_one = {step for step in steps if step in ("9*1=9", "9*1=10", "4*1=4", "4*1=5")}
        mixed += times_one in ({"9*1=9", "4*1=5"}, {"9*1=10", "4*1=4"})
    assert mixed == 0
