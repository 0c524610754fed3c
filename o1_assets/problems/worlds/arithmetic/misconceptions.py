"""The misconceptions of the nano world: wrong rules that people really follow, each with how often it is held.

A writer who holds a misconception follows it wherever it applies in a solution, so errors are systematic and majority
voting alone cannot remove them. There are two families:

- order: which operator is worked on next. The rule is given the whole expression and returns the operator's index, or
  None where it has nothing to say.
- result: what one operation gives. The rule is given the two numbers and returns the wrong result, or None.

Sources of the rules: "smaller from larger" and the borrow and carry bugs are Brown & Burton (1978, "Diagnostic
models for procedural bugs in basic mathematical skills"); left to right and "addition before subtraction" are
the two classic readings of an order-of-operations mnemonic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from o1_assets.problems.expression import OPERATION, Expression, apply

OrderRule = Callable[[Expression], int | None]
ResultRule = Callable[[int, int], int | None]


@dataclass(frozen=True)
class OrderMisconception:
    """A wrong idea of what to work on next. rate: share of writers who hold it. example: "expression: step"."""

    name: str
    rate: float
    example: str
    rule: OrderRule


@dataclass(frozen=True)
class ResultMisconception:
    """A wrong idea of what `a op b` is. rate: share of writers who hold it. example: a step it writes."""

    name: str
    rate: float
    example: str
    rule: ResultRule

    @cached_property
    def op(self) -> str:
        match = OPERATION.fullmatch(self.example)
        assert match is not None, f"{self.example} is not a step"
        return match[2]


def _neighbours(left: str, right: str) -> OrderRule:
    """Works on the right one of the first two neighbouring operators that read `left right`."""

    def rule(state: Expression) -> int | None:
        for i in range(len(state.ops) - 1):
            if state.ops[i] == left and state.ops[i + 1] == right:
                return i + 1
        return None

    return rule


def _left_to_right(state: Expression) -> int | None:
    """3+4*5: 3+4 first."""
    return 0 if len(state.ops) > 1 and state.ops[0] != "*" and state.ops[1] == "*" else None


def _minus_then(op: str) -> OrderRule:
    """`a - b op c` at the left end is read as `a - (b op c)`, unless c belongs to a product."""
    return lambda state: 1 if state.ops[:2] == ("-", op) and state.ops[2:3] != ("*",) else None


def _from_the_right(state: Expression) -> int | None:
    """2*3-4+1: 4+1 first, because it was read last."""
    last = len(state.ops) - 1
    return last if last > 0 and state.ops[last] != "*" and "*" in state.ops[:last] else None


# Rates are Zipf-like: a few rules are held by about half of all writers, most are rare, and some apply to rare patterns
# only. What is common is learnt from the labels of round 0; what is rare and convincing is left for active learning to
# find in later rounds. Profiles scale all rates together (CorpusConfig.misconception_scale).
ORDER: tuple[OrderMisconception, ...] = (
    OrderMisconception("left_to_right", 0.50, "3+4*5: 3+4=7", _left_to_right),
    OrderMisconception("minus_minus_grouped", 0.45, "9-4-3: 4-3=1", _minus_then("-")),
    OrderMisconception("addition_before_subtraction", 0.30, "9-4+3: 4+3=7", _minus_then("+")),
    OrderMisconception("sum_before_product", 0.06, "2*3+4: 3+4=7", _neighbours("*", "+")),
    OrderMisconception("difference_before_product", 0.04, "2*5-4: 5-4=1", _neighbours("*", "-")),
    OrderMisconception("from_the_right", 0.02, "2*3-4+1: 4+1=5", _from_the_right),
)


def _carries(a: int, b: int) -> bool:
    return a >= 0 and b >= 0 and max(a, b) >= 10 and a % 10 + b % 10 >= 10


def _borrows(a: int, b: int) -> bool:
    return a >= 10 and 0 < b < a and a % 10 < b % 10


def _digitwise_difference(a: int, b: int) -> int | None:
    return (a - a % 10) - (b - b % 10) + (b % 10 - a % 10) if _borrows(a, b) else None


def _invents_carry(a: int, b: int) -> int | None:
    return a + b + 10 if a >= 10 and b > 0 and not _carries(a, b) else None


def _forgets_product_carry(a: int, b: int) -> int | None:
    return a * b - a % 10 * b // 10 * 10 if a > 10 and b > 1 and a % 10 * b > 9 else None


def _table(x: int, y: int, wrong: int) -> ResultRule:
    """One fact of the times table learnt wrong, in both orders."""
    return lambda a, b: wrong if (a, b) in ((x, y), (y, x)) else None


_Wrong = ResultMisconception

# fmt: off
# The first rule that applies and is held decides, so the order of the table is part of the corpus. Three blocks: minus,
# plus, times.
RESULT: tuple[ResultMisconception, ...] = (
    _Wrong("smaller_from_larger", 0.50, "3-5=2", lambda a, b: b - a if 0 < a < b else None),
    _Wrong("self_minus_self", 0.40, "4-4=4", lambda a, b: a if a == b != 0 else None),
    _Wrong("minus_negative_ignored", 0.35, "3--4=-1", lambda a, b: a + b if b < 0 else None),
    _Wrong("negative_minus_shrinks", 0.30, "-4-5=1", lambda a, b: a + b if a < 0 < b else None),
    _Wrong("zero_minus", 0.25, "0-5=5", lambda a, b: b if a == 0 and b > 0 else None),
    _Wrong("digitwise_difference", 0.12, "23-7=24", _digitwise_difference),
    _Wrong("negative_minus_loses_sign", 0.10, "-4-5=9", lambda a, b: b - a if a < 0 < b else None),
    _Wrong("borrow_forgotten", 0.08, "23-7=26", lambda a, b: a - b + 10 if _borrows(a, b) else None),
    _Wrong("minus_zero", 0.05, "5-0=0", lambda a, b: 0 if b == 0 and a > 0 else None),

    _Wrong("negative_plus_sums", 0.25, "-4+6=-10", lambda a, b: a - b if a < 0 < b else None),
    _Wrong("plus_negative_ignored", 0.20, "3+-1=4", lambda a, b: a - b if b < 0 else None),
    _Wrong("negative_plus_swaps", 0.10, "-4+6=-2", lambda a, b: -a - b if a < 0 < b != -a else None),
    _Wrong("carry_forgotten", 0.08, "17+5=12", lambda a, b: a + b - 10 if _carries(a, b) else None),
    _Wrong("plus_zero", 0.06, "5+0=0", lambda a, b: 0 if b == 0 and a > 0 else None),
    _Wrong("doubling_squares", 0.03, "4+4=16", lambda a, b: a * a if a == b > 2 else None),
    _Wrong("carry_invented", 0.02, "13+4=27", _invents_carry),

    _Wrong("times_zero", 0.45, "6*0=6", lambda a, b: a if b == 0 and a > 0 else None),
    _Wrong("times_one", 0.35, "6*1=7", lambda a, b: a + 1 if b == 1 and a > 1 else None),
    _Wrong("zero_times", 0.30, "0*6=6", lambda a, b: b if a == 0 and b > 0 else None),
    _Wrong("product_loses_sign", 0.25, "-3*4=12", lambda a, b: -a * b if a * b < 0 else None),
    _Wrong("square_doubles", 0.20, "6*6=12", lambda a, b: 2 * a if a == b > 2 else None),
    _Wrong("negatives_stay_negative", 0.20, "-3*-4=-12", lambda a, b: -a * b if a < 0 and b < 0 else None),
    _Wrong("one_times", 0.12, "1*6=7", lambda a, b: b + 1 if a == 1 and b > 1 else None),
    _Wrong("product_carry_forgotten", 0.10, "13*4=42", _forgets_product_carry),
    _Wrong("times_ten_adds", 0.08, "6*10=16", lambda a, b: a + 10 if b == 10 and a > 1 else None),
    _Wrong("table_7x8", 0.45, "7*8=54", _table(7, 8, 54)),
    _Wrong("table_6x9", 0.35, "6*9=56", _table(6, 9, 56)),
    _Wrong("table_7x9", 0.25, "7*9=64", _table(7, 9, 64)),
    _Wrong("table_6x8", 0.20, "6*8=46", _table(6, 8, 46)),
    _Wrong("table_8x9", 0.15, "8*9=73", _table(8, 9, 73)),
    _Wrong("table_6x7", 0.10, "6*7=44", _table(6, 7, 44)),
    _Wrong("table_4x8", 0.05, "4*8=36", _table(4, 8, 36)),
    _Wrong("product_read_as_sum", 0.02, "3*4=7", lambda a, b: a + b if a > 1 and b > 1 else None),
)

# fmt: on

NAMES: tuple[str, ...] = (*(m.name for m in ORDER), *(m.name for m in RESULT))


def explanations(state: Expression, a: int, op: str, b: int, result: int) -> list[str]:
    """Names of the misconceptions that a step `a op b = result` taken in `state` could come from.

    Empty for a right step and for a slip. It serves to count errors by kind, never to train: no labeller knows it.
    """
    indices = state.match(a, op, b)
    # A step out of order is an error of order whatever its result, as the oracle rates it.
    if not any(i in state.legal_indices() for i in indices):
        return [m.name for m in ORDER if m.rule(state) in indices]
    if result == apply(a, op, b):
        return []
    return [m.name for m in RESULT if m.op == op and m.rule(a, b) == result]
