"""Which kind of error a solution's first wrong step is: a misconception by name, a slip, or what else is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

from o1_assets.base.misconceptions import NAMES, ORDER, RESULT, explanations
from o1_assets.labels.arithmetic_trace import start, take_step
from o1_assets.problems.expression import OPERATION, Expression

SLIP, ORDER_OTHER, GUESS = "slip", "order_unexplained", "wrong_answer"
FALSE_CHECK, NO_CORRECTION, COPY, UNREADABLE = "false_check", "false_correction", "not_there", "unreadable"
OTHERS: dict[str, str] = {
    SLIP: "a false result that no misconception gives",
    ORDER_OTHER: "an order of working that no misconception gives",
    GUESS: "a wrong final answer after right steps, or without any",
    COPY: "an operation on numbers that are not left of the expression",
    FALSE_CHECK: "a check of what was not done",
    NO_CORRECTION: "a correction of nothing",
    UNREADABLE: "no step of this world, or one after the answer",
}
OF_VERDICT = {
    "answer": GUESS,
    "check": FALSE_CHECK,
    "correction": NO_CORRECTION,
    "absent": COPY,
    "unreadable": UNREADABLE,
    "after_answer": UNREADABLE,
}
KINDS: tuple[str, ...] = (*NAMES, *OTHERS)
RATES: dict[str, float] = {m.name: m.rate for m in (*ORDER, *RESULT)}
EXAMPLES: dict[str, str] = {m.name: m.example for m in (*ORDER, *RESULT)}
_WORD = re.compile(r"(?:check|wait) ")


def first_wrong(expression: Expression, steps: Sequence[str]) -> tuple[int, str] | None:
    """Index and kind of the first wrong step; None if there is none.

    Where several misconceptions would have written it, the one that most writers hold.
    """
    trace = start(expression)
    for index, text in enumerate(steps):
        after, verdict = take_step(trace, text)
        if verdict.rating < 0:
            return index, OF_VERDICT.get(verdict.kind) or _kind(trace.states, trace.before, text)
        trace = after
    return None


def _kind(states: Sequence[Expression], before: Sequence[Expression] | None, text: str) -> str:
    """Of an operation that could be read but is wrong. before: the states that a correction goes back to."""
    corrects = text.startswith("wait ")
    match = OPERATION.fullmatch(_WORD.sub("", text, count=1))
    assert match is not None, f"{text} was read as an operation"
    a, op, b, result = int(match[1]), match[2], int(match[3]), int(match[4])
    where = [s for s in (before or () if corrects else states) if s.match(a, op, b)]
    named = {name for state in where for name in explanations(state, a, op, b, result)}
    if named:
        return max(named, key=lambda name: (RATES[name], name))
    legal = any(i in state.legal_indices() for state in where for i in state.match(a, op, b))
    return SLIP if legal else ORDER_OTHER
