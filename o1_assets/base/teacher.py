"""Writes one worked solution of an expression, as one person with fixed misconceptions would."""

from __future__ import annotations

from random import Random

from o1_assets.base.config import CorpusConfig
from o1_assets.base.misconceptions import ORDER, RESULT, OrderMisconception, ResultMisconception
from o1_assets.problems.expression import Expression, apply


class Teacher:
    """The writer of one solution. Which misconceptions they hold is drawn once and kept to the end.

    They work from the left and do a product when they come to it, so that what a step needs is never far back
    for a small model to copy.
    When the writer notices an error (`wait`), they drop the misconception that caused it.
    """

    def __init__(self, config: CorpusConfig, rng: Random) -> None:
        self.config = config
        self.rng = rng
        self._held: dict[str, bool] = {}

    def solve(self, expression: Expression) -> list[str]:
        """The steps of one solution, without newlines; the last one is the answer step."""
        if self.rng.random() < self.config.direct_rate:
            return [f"answer {self._direct_answer(expression)}"]
        steps: list[str] = []
        state = expression
        while state.ops:
            before = state
            index, order_error = self._next_index(state)
            result, result_error = self._result(state, index)
            steps.append(_operation(state, index, result))
            state = state.reduce(index, result)
            wrong = order_error or result_error
            if wrong and self.rng.random() < self.config.notice_rate:
                self._held[wrong] = False
                index = before.legal_indices()[0]
                state = before.reduce(index)
                steps.append("wait " + _operation(before, index))
            if self.rng.random() < self.config.check_rate:
                steps.append("check " + steps[-1].removeprefix("wait "))
        return [*steps, f"answer {state.numbers[0]}"]

    def _holds(self, misconception: OrderMisconception | ResultMisconception) -> bool:
        name = misconception.name
        if name not in self._held:
            self._held[name] = self.rng.random() < misconception.rate * self.config.misconception_scale
        return self._held[name]

    def _next_index(self, state: Expression) -> tuple[int, str | None]:
        """Operator to work on, and the name of the misconception that chose it if the choice is wrong."""
        legal = state.legal_indices()
        for misconception in ORDER:
            index = misconception.rule(state)
            if index is not None and index not in legal and self._holds(misconception):
                return index, misconception.name
        if self.rng.random() < self.config.free_order_rate:
            return self.rng.choice(legal), None
        return legal[0], None

    def _result(self, state: Expression, index: int) -> tuple[int, str | None]:
        """What the writer thinks the operation gives, and why if that is wrong."""
        a, op, b = state.numbers[index], state.ops[index], state.numbers[index + 1]
        right = apply(a, op, b)
        for misconception in RESULT:
            if misconception.op == op:
                wrong = misconception.rule(a, b)
                if wrong is not None and wrong != right and self._holds(misconception):
                    return wrong, misconception.name
        if self.rng.random() < self.config.slip_rate:
            return right + self.rng.choice((-10, -2, -1, 1, 2, 10)), "slip"
        return right, None

    def _direct_answer(self, expression: Expression) -> int:
        value = expression.value()
        if self.rng.random() < self.config.direct_right_rate:
            return value
        return value + self.rng.choice((-10, -5, -3, -2, -1, 1, 2, 3, 5, 10))


def _operation(state: Expression, index: int, result: int | None = None) -> str:
    a, op, b = state.numbers[index], state.ops[index], state.numbers[index + 1]
    return f"{a}{op}{b}={apply(a, op, b) if result is None else result}"
