"""People who look for a function: they try a program, run it in their heads on the given cases, and change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from pydantic import Field

from o1_assets.problems.worlds.code.rules import (
    COMPARISONS,
    OPERATORS,
    Atom,
    Branch,
    Case,
    Expression,
    Program,
    Specification,
    Values,
)
from o1_assets.problems.worlds.world import Corpus


class CodeCorpus(Corpus):
    """Programs that were looked for, wrong in the ways in which programmers are."""

    shares: tuple[float, float, float] = Field(
        (0.3, 0.45, 0.25),
        description="shares of functions of one line, of two lines, and with a branch",
    )
    shown: int = Field(3, ge=2, le=3, description="values of the function that are given")
    curriculum: float = Field(
        0.3,
        ge=0,
        le=1,
        description="share of the corpus, its beginning, that has functions of one line alone",
    )
    detours: tuple[float, ...] = Field(
        (0.25, 0.3, 0.25, 0.15, 0.05),
        description="shares of solutions with 0, 1, 2, ... wrong tries before the program that is meant",
    )
    # Errors that a writer makes from beginning to end.
    misread_rate: float = Field(
        0.3, ge=0, le=1, description="chance of a program that is not what its writer thinks it is"
    )
    hasty_rate: float = Field(
        0.12, ge=0, le=1, description="chance of a writer who is content with the first case"
    )
    wishful_rate: float = Field(
        0.12, ge=0, le=1, description="chance of a writer who calls a wrong value right and goes on"
    )
    special_rate: float = Field(
        0.03, ge=0, le=1, description="chance of a program that lists the given cases and knows no other"
    )
    notice_rate: float = Field(
        0.1, ge=0, le=1, description="chance that a writer notices that they misread their program"
    )
    direct_rate: float = Field(0.05, ge=0, le=1, description="chance that a solution is the answer alone")
    direct_right_rate: float = Field(0.6, ge=0, le=1, description="chance that a direct answer is right")


def solve(problem: Specification, config: CodeCorpus, rng: Random) -> list[str]:
    """The steps of one solution, by a new writer."""
    meant = problem.reference
    assert meant is not None, "a problem that is drawn has a reference"
    chance = rng.random
    if chance() < config.direct_rate:
        right = chance() < config.direct_right_rate
        return [f"answer {meant if right else changed(meant, rng)}"]
    if chance() < config.special_rate and (listed := special_cases(problem)) is not None:
        return [*attempt(listed, listed, problem), f"answer {listed}"]
    misread = chance() < config.misread_rate
    hasty, wishful = chance() < config.hasty_rate, chance() < config.wishful_rate
    steps: list[str] = []
    for program in detour(problem, meant, config, rng):
        checks = [check(program, number, case) for number, case in enumerate(problem.shown, 1)]
        failed = next((number for number, text in enumerate(checks) if text.endswith("no")), None)
        steps.append(f"try {program}")
        if hasty and failed != 0:
            return [*steps, checks[0], f"answer {program}"]
        if wishful and failed is not None:
            hopeful = [text.removesuffix("no") + "ok" if text.endswith("no") else text for text in checks]
            return [*steps, *hopeful, f"answer {program}"]
        if failed is not None:
            steps += checks[: failed + 1]
    if misread and (written := misreading(meant, rng)) is not None:
        steps += attempt(written, meant, problem)
        wrong = check(written, 1, problem.shown[0])
        if wrong == steps[-len(problem.shown)] or chance() >= config.notice_rate:
            return [*steps, f"answer {written}"]
        steps = [*steps[: 1 - len(problem.shown)], f"wait {wrong}"]
    return [*steps, *attempt(meant, meant, problem), f"answer {meant}"]


def attempt(written: Program, believed: Program, problem: Specification) -> list[str]:
    """A try and its checks, with the values of the program that the writer believes to have written."""
    checks = [check(believed, number, case) for number, case in enumerate(problem.shown, 1)]
    return [f"try {written}", *checks]


def check(program: Program, number: int, case: Case) -> str:
    """The step that runs a program on one of the given cases."""
    a, b, expected = case
    values = program.trace(a, b)
    assert values is not None, "only programs that have values are tried"
    return check_text(number, case, values, values[-1] == expected)


def check_text(number: int, case: Case, values: Values, right: bool) -> str:
    a, b, expected = case
    return f"({number}) f({a},{b}): {','.join(map(str, values))} of {expected} {'ok' if right else 'no'}"


def detour(problem: Specification, meant: Program, config: CodeCorpus, rng: Random) -> list[Program]:
    """Wrong programs, each a change nearer to the one that is meant: so a solution learns from what it got wrong."""
    wrong: list[Program] = []
    for _ in range(rng.choices(range(len(config.detours)), config.detours)[0]):
        program = changed(wrong[0] if wrong else meant, rng)
        runs = all(program.trace(a, b) is not None for a, b, _ in problem.shown)
        if runs and program not in wrong and not problem.fits(program):
            wrong.insert(0, program)
    return wrong


def special_cases(problem: Specification) -> Program | None:
    """`if a==7:return 17;if a==2:return 9;return 12`, by the argument that tells the cases apart; None without one."""
    *others, last = problem.shown
    for place, letter in enumerate("ab"):
        if len({case[place] for case in problem.shown}) == len(problem.shown):
            branches = tuple(Branch(letter, "==", case[place], Expression(case[2])) for case in others)
            return Program(Expression(last[2]), None, branches)
    return None


# What becomes of a program in the head of somebody who looks for another one.

_NEAR = {"min": "max", "max": "min", "+": "-", "-": "+", "//": "%", "%": "//", "*": "+"}
_LETTERS: tuple[Atom, ...] = ("a", "b")
_NUMBERS: tuple[Atom, ...] = (1, 2, 3)


def changed(program: Program, rng: Random) -> Program:
    """A program that differs in one place."""
    while True:
        candidate = _changed(program, rng)
        if candidate != program and candidate.c_is_defined and _sensible(candidate):
            return candidate


def _changed(program: Program, rng: Random) -> Program:
    result, first, chance = program.result, program.first, rng.random()
    plain = (*_LETTERS, *_NUMBERS)
    if program.branches:
        branch, *others = program.branches
        if chance < 0.2:
            swapped = branch._replace(then=result)
            return replace(program, branches=(swapped, *others), result=branch.then)
        if chance < 0.35:
            return replace(program, branches=(branch._replace(test=rng.choice(COMPARISONS)), *others))
        if chance < 0.65:
            then = _changed_expression(branch.then, plain, rng)
            return replace(program, branches=(branch._replace(then=then), *others))
        return replace(program, result=_changed_expression(result, plain, rng))
    if first is not None:
        if chance < 0.45:
            return replace(program, first=_changed_expression(first, plain, rng))
        if chance < 0.9:
            return replace(program, result=_changed_expression(result, ("c", *plain), rng))
        return Program(first)
    if chance < 0.7:
        return Program(_changed_expression(result, plain, rng))
    if chance < 0.85:
        return Program(Expression("c", rng.choice("+-*"), rng.choice(("a", "b", 1, 2, 3))), result)
    other = _changed_expression(result, plain, rng)
    return Program(other, None, (Branch("a", rng.choice("<>"), "b", result),))


def _changed_expression(expression: Expression, atoms: tuple[Atom, ...], rng: Random) -> Expression:
    x, op, y = expression.x, expression.op, expression.y
    if not op:
        grown = Expression(x, rng.choice("+-*"), rng.choice(("a", "b", 1, 2, 3)))
        return rng.choice([Expression("a"), Expression("b"), grown])
    chance = rng.random()
    if chance < 0.35 and isinstance(y, int):
        return Expression(x, op, min(3, max(1, y + rng.choice((-1, 1)))))
    if chance < 0.55:
        return Expression(y, op, x) if isinstance(y, str) else Expression(x, op, rng.choice(_NUMBERS))
    if chance < 0.8:
        return Expression(x, _NEAR[op] if rng.random() < 0.6 else rng.choice(OPERATORS), y)
    return Expression(x, op, rng.choice(atoms))


def _sensible(program: Program) -> bool:
    """Nothing that nobody would write: no operation on two numbers, no letter divided by itself, no bare number."""
    expressions = [program.result, program.first, *(branch.then for branch in program.branches)]
    return all(
        any(isinstance(atom, str) for atom in expression.atoms)
        and not (expression.op in ("//", "%") and expression.x == expression.y)
        for expression in expressions
        if expression is not None
    )


# What is written by somebody who thinks of the program that is meant.


def misreading(meant: Program, rng: Random) -> Program | None:
    """The program with one of the misconceptions that it leaves room for; None if it leaves room for none."""
    candidates = [wrong for misconception in MISCONCEPTIONS if (wrong := misconception(meant)) is not None]
    return rng.choice(candidates) if candidates else None


def _rewritten(program: Program, rewrite: Callable[[Expression], Expression | None]) -> Program | None:
    """The program with its last expression rewritten that can be."""
    if (result := rewrite(program.result)) is not None:
        return replace(program, result=result)
    if program.first is not None and (first := rewrite(program.first)) is not None:
        return replace(program, first=first)
    return None


def _min_for_max(meant: Program) -> Program | None:
    return _rewritten(meant, lambda e: Expression(e.x, _NEAR[e.op], e.y) if e.op in ("min", "max") else None)


def _off_by_one(meant: Program) -> Program | None:
    return _rewritten(meant, lambda e: Expression(e.x, e.op, e.y + 1) if isinstance(e.y, int) else None)


def _operands_swapped(meant: Program) -> Program | None:
    return _rewritten(
        meant,
        lambda e: Expression(e.y, e.op, e.x) if e.op in ("-", "//", "%") and isinstance(e.y, str) else None,
    )


def _branches_swapped(meant: Program) -> Program | None:
    if len(meant.branches) != 1:
        return None
    (branch,) = meant.branches
    return replace(meant, branches=(branch._replace(then=meant.result),), result=branch.then)


MISCONCEPTIONS = (_min_for_max, _off_by_one, _operands_swapped, _branches_swapped)
