"""Rates the steps of an arithmetic solution exactly: +1 right, 0 true but nothing gained, -1 wrong.

    3*4=12          right if some order of working may take it now and the result is true
    check 3*4=12    neutral if that operation was done before, rightly
    wait 3*4=12     replaces the operation step before it: right if that was wrong and this one is right in
                    the state before it; neutral if there was nothing to correct
    answer 7        right if 7 is the expression's value, whatever came before

Everything else, and everything after an answer, is wrong. After a wrong operation no operation is right until
a `wait` has replaced it: the expression that is left no longer has the problem's value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from o1_assets.problems.expression import OPERATION, Expression, apply

# Three limits bound the time that any input can take. An expression longer than this is nobody's arithmetic.
MAX_EXPRESSION_CHARS = 200
MAX_STEP_CHARS = 200
MAX_STATES = 64
"""Readings of the steps so far that are followed."""

_ANSWER = re.compile(r"answer (-?\d+)", re.ASCII)
_STEP = re.compile(r"(?:(check|wait) )?" + OPERATION.pattern, re.ASCII)


def rate(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> int:
    """Rating of one step after the steps before it. Never raises; a problem without expression gives -1."""
    return _verdict(problem, prefix, text).rating


def rate_steps(problem: Mapping[str, Any], steps: Sequence[str]) -> list[int]:
    """Ratings of all steps of a solution, each after those before it."""
    expression = expression_of(problem)
    if expression is None:
        return [-1] * len(steps)
    working, ratings = _start(expression), []
    for text in steps:
        working, verdict = take_step(working, text)
        ratings.append(verdict.rating)
    return ratings


def error_kind(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> str | None:
    """What is wrong with a step; None if nothing.

    unreadable; after_answer; after_error (an unrepaired one); answer (wrong value); check (of nothing that
    was done rightly); correction (of nothing); absent (no such operation is left); order (a sum before the
    product beside it); grouping (b-c taken first in a-b-c); and of false results: self (a-a), zero, one
    (a product with it), sign, slip.
    """
    verdict = _verdict(problem, prefix, text)
    return verdict.kind if verdict.rating < 0 else None


def expression_of(problem: Mapping[str, Any]) -> Expression | None:
    """The expression in a problem row's metadata (reasoning_gym's entry), None if there is none."""
    return _expression_in(str(problem.get("metadata") or ""))


# The steps of one solution are rated one after another, and many solutions share a problem and its first steps. So
# parsed expressions, first workings and those after a prefix are kept.
@lru_cache(maxsize=1 << 14)
def _expression_in(metadata: str) -> Expression | None:
    try:
        text = json.loads(metadata)["metadata"]["expression"]
        return Expression.parse(text) if len(text) <= MAX_EXPRESSION_CHARS and text.isascii() else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _verdict(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> Verdict:
    expression = expression_of(problem)
    if expression is None:
        return Verdict(-1, "unreadable")
    return take_step(_working_after(expression, tuple(prefix)), text)[1]


@lru_cache(maxsize=1 << 14)
def _working_after(expression: Expression, prefix: tuple[str, ...]) -> Working:
    working = _start(expression)
    for text in prefix:
        working, _ = take_step(working, text)
    return working


def right_next_steps(problem: Mapping[str, Any], prefix: Sequence[str]) -> list[str]:
    """The operations that are right after these steps, the leftmost first, or the answer where none is left.

    Empty after an answer, and after a wrong operation, from which no right one leads on.
    """
    expression = expression_of(problem)
    working = None if expression is None else _working_after(expression, tuple(prefix))
    if working is None or working.answered or not working.states:
        return []
    # Where the steps can be read in several ways, each of them leads to the value.
    state = working.states[0]
    if not state.ops:
        return [f"answer {working.value}"]
    return [str(Operation.of(state, index)) for index in state.legal_indices()]


class Operation(NamedTuple):
    """a op b = result, as a step claims."""

    a: int
    op: str
    b: int
    result: int

    @classmethod
    def of(cls, state: Expression, index: int) -> Operation:
        """The right operation at `index` of what is left."""
        a, op, b = state.numbers[index], state.ops[index], state.numbers[index + 1]
        return cls(a, op, b, apply(a, op, b))

    def __str__(self) -> str:
        return f"{self.a}{self.op}{self.b}={self.result}"

    @property
    def is_true(self) -> bool:
        return apply(self.a, self.op, self.b) == self.result


class Verdict(NamedTuple):
    """kind: "right", "check", "needless" or the kind of error; see `error_kind`."""

    rating: int
    kind: str


@dataclass(frozen=True)
class Working:
    """What is known of an expression after some steps.

    states: what may be left of the expression, each with the problem's value (several when a step can be read
    at several places); empty after a wrong operation. before: the states before the newest operation, None
    when there was none. done: operations done rightly that still stand, the newest last.
    """

    value: int
    states: tuple[Expression, ...]
    before: tuple[Expression, ...] | None = None
    done: tuple[Operation, ...] = ()
    answered: bool = False


def start(expression: Expression) -> Working:
    """Before the first step."""
    return Working(value=expression.value(), states=(expression,))


_start = lru_cache(maxsize=1 << 14)(start)


def take_step(working: Working, text: str) -> tuple[Working, Verdict]:
    """The working after one more step, and the step's verdict."""
    if working.answered:
        return working, Verdict(-1, "after_answer")
    # Python's int() of a very long string takes quadratic time.
    if len(text) > MAX_STEP_CHARS:
        return working, Verdict(-1, "unreadable")
    if answer := _ANSWER.fullmatch(text):
        # The value is compared, not the steps: an answer after an error can be right.
        right = int(answer[1]) == working.value
        return replace(working, answered=True), Verdict(1, "right") if right else Verdict(-1, "answer")
    match = _STEP.fullmatch(text)
    if match is None:
        return working, Verdict(-1, "unreadable")
    word, a, op, b, result = match.groups()
    operation = Operation(int(a), op, int(b), int(result))
    if word == "check":
        return working, Verdict(0, "check") if operation in working.done else Verdict(-1, "check")
    if word == "wait":
        return _correct(working, operation)
    return _operate(working, operation, working.states, working.done)


def _correct(working: Working, operation: Operation) -> tuple[Working, Verdict]:
    if working.before is None:
        return working, Verdict(-1, "correction")
    # A wrong operation leaves no states.
    replaced_is_right = bool(working.states)
    standing = working.done[:-1] if replaced_is_right else working.done
    corrected, verdict = _operate(working, operation, working.before, standing)
    return corrected, Verdict(0, "needless") if replaced_is_right and verdict.rating > 0 else verdict


def _operate(
    working: Working, operation: Operation, states: tuple[Expression, ...], done: tuple[Operation, ...]
) -> tuple[Working, Verdict]:
    """`operation` taken in `states`, after the operations in `done`."""
    # In 2*3-2*3 the step 2*3=6 can be read at two places; both readings are followed until later steps decide.
    matches, legal = [], []
    for state in states:
        legal_indices = set(state.legal_indices())
        for i in state.match(operation.a, operation.op, operation.b):
            matches.append((state, i))
            if i in legal_indices:
                legal.append((state, i))
    if legal and operation.is_true:
        after = _distinct(state.reduce(i) for state, i in legal)
        return replace(working, states=after, before=states, done=(*done, operation)), Verdict(1, "right")
    if not states:
        kind = "after_error"
    elif not matches:
        kind = "absent"
    elif not legal:
        products = any("*" in state.ops[max(0, i - 1) : i + 2] for state, i in matches)
        kind = "order" if products else "grouping"
    else:
        kind = _false_result(operation)
    return replace(working, states=(), before=states, done=done), Verdict(-1, kind)


def _false_result(operation: Operation) -> str:
    a, op, b, result = operation
    if op == "-" and a == b:
        return "self"
    if op == "*" and 0 in (a, b):
        return "zero"
    if op == "*" and 1 in (a, b):
        return "one"
    return "sign" if result == -apply(a, op, b) else "slip"


def _distinct(states: Iterable[Expression]) -> tuple[Expression, ...]:
    # Not a set: the order decides which readings are dropped, and it must be the same in every process.
    return tuple(dict.fromkeys(states))[:MAX_STATES]
