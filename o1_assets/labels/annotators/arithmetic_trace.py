"""What is left of an expression while steps are worked on it, and what each step is worth there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from o1_assets.problems.expression import OPERATION, Expression, apply

MAX_STEP_CHARS = 200


MAX_STATES = 64
"""Readings of the steps so far that are followed; both limits bound the time that any input can take."""


_ANSWER = re.compile(r"answer (-?\d+)", re.ASCII)


_STEP = re.compile(r"(?:(check|wait) )?" + OPERATION.pattern, re.ASCII)


class Operation(NamedTuple):
    """a op b = result, as a step claims."""

    a: int
    op: str
    b: int
    result: int

    @property
    def is_true(self) -> bool:
        return apply(self.a, self.op, self.b) == self.result


class Verdict(NamedTuple):
    """kind: "right", "check", "needless" or the kind of error; see `arithmetic_judge.error_kind`."""

    rating: int
    kind: str


@dataclass(frozen=True)
class Trace:
    """What is known after some steps.

    states: what may be left of the expression, all of the problem's value (several when a step can be read
    at several places); empty after a wrong operation. before: the states before the newest operation, None
    when there was none. done: operations done rightly that still stand, the newest last.
    """

    value: int
    states: tuple[Expression, ...]
    before: tuple[Expression, ...] | None = None
    done: tuple[Operation, ...] = ()
    answered: bool = False


def start(expression: Expression) -> Trace:
    """Before the first step."""
    return Trace(value=expression.value(), states=(expression,))


def take_step(trace: Trace, text: str) -> tuple[Trace, Verdict]:
    """The trace after a step, and the step's verdict."""
    if trace.answered:
        return trace, Verdict(-1, "after_answer")
    if len(text) > MAX_STEP_CHARS:
        return trace, Verdict(-1, "unreadable")
    if answer := _ANSWER.fullmatch(text):
        right = int(answer[1]) == trace.value
        return replace(trace, answered=True), Verdict(1, "right") if right else Verdict(-1, "answer")
    match = _STEP.fullmatch(text)
    if match is None:
        return trace, Verdict(-1, "unreadable")
    word, a, op, b, result = match.groups()
    operation = Operation(int(a), op, int(b), int(result))
    if word == "check":
        return trace, Verdict(0, "check") if operation in trace.done else Verdict(-1, "check")
    if word == "wait":
        return _correct(trace, operation)
    return _operate(trace, operation, trace.states, trace.done)


def _correct(trace: Trace, operation: Operation) -> tuple[Trace, Verdict]:
    if trace.before is None:
        return trace, Verdict(-1, "correction")
    replaced_is_right = bool(trace.states)
    standing = trace.done[:-1] if replaced_is_right else trace.done
    corrected, verdict = _operate(trace, operation, trace.before, standing)
    return corrected, Verdict(0, "needless") if replaced_is_right and verdict.rating > 0 else verdict


def _operate(
    trace: Trace, operation: Operation, states: tuple[Expression, ...], done: tuple[Operation, ...]
) -> tuple[Trace, Verdict]:
    """`operation` taken in `states`, after the operations in `done`."""
    read, legal = [], []
    for state in states:
        may = set(state.legal_indices())
        for i in state.match(operation.a, operation.op, operation.b):
            read.append((state, i))
            if i in may:
                legal.append((state, i))
    if legal and operation.is_true:
        after = _distinct(state.reduce(i) for state, i in legal)
        return replace(trace, states=after, before=states, done=(*done, operation)), Verdict(1, "right")
    if not states:
        kind = "after_error"
    elif not read:
        kind = "absent"
    elif not legal:
        products = any("*" in state.ops[max(0, i - 1) : i + 2] for state, i in read)
        kind = "order" if products else "grouping"
    else:
        kind = _false_result(operation)
    return replace(trace, states=(), before=states, done=done), Verdict(-1, kind)


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
    return tuple(dict.fromkeys(states))[:MAX_STATES]
