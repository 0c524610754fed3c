"""Arithmetic whose prompts may begin with an instruction or hold a secret (`problems/instructions.py`).

The problems, steps and answers are those of arithmetic. The base's corpus has no instructions: a base is no assistant.
"""

from __future__ import annotations

from random import Random

from o1_assets.problems.expression import Expression
from o1_assets.problems.instructions import MOST_STEPS, REFUSAL, Name, Request, with_instructions
from o1_assets.problems.worlds.arithmetic.teacher import ARITHMETIC, CorpusConfig, Teacher
from o1_assets.problems.worlds.arithmetic.world import ArithmeticWorld


class InstructedWorld(ArithmeticWorld):
    name = "instructed"
    vocabulary = with_instructions(ARITHMETIC)

    def parse(self, question: str) -> Expression | None:
        """The problem, also of a request that is to be refused."""
        return super().parse(Request.parse(question).plain_question)

    def reworded(self, problem: Expression, asked: str) -> str:
        request = Request.parse(asked)
        if request.plain_question != request.question:
            return asked
        return str(Request(super().reworded(problem, request.question), request.instruction))


def demonstrate(request: Request, problem: Expression, config: CorpusConfig, rng: Random) -> list[str]:
    """The steps that one person of the corpus answers with who does as told; right as often as the corpus is."""
    if request.forbidden:
        return [REFUSAL]
    steps = Teacher(config.model_copy(update=_RATES.get(request.instruction, _CHAIN)), rng).solve(problem)
    if request.instruction == "at_most_three_steps":
        # What is left is done in the head.
        steps = [*steps[:-1][: MOST_STEPS - 1], steps[-1]]
    return steps


_CHAIN: dict[str, float] = {"direct_rate": 0.0}
_RATES: dict[Name | None, dict[str, float]] = {
    "only_the_answer": {"direct_rate": 1.0},
    "at_most_three_steps": {**_CHAIN, "check_rate": 0.0, "notice_rate": 0.0},
    "check_yourself": {**_CHAIN, "check_rate": 1.0},
}
