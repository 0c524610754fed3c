"""Instructions: what a prompt may ask for before its question, and whether the steps of an answer do as they are told.

Each is one token in front of the question, so that a small model can read it. Every instruction can be checked by a
program, whatever the answer's value (IFEval, arXiv:2311.07911): `obeyed` is strict, and reads the whole answer.

    Only the answer: Calculate 3 * 4 - 5.       answer 7
    Calculate 3 * secret 4 - 5.                 cannot answer
    Calculate 3 * not secret 4 - 5.             a near miss, which is answered as any other question
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from o1_assets.problems.expression import Operation
from o1_assets.problems.worlds.world import Vocabulary

Name = Literal["only_the_answer", "step_by_step", "at_most_three_steps", "check_yourself"]

WORDS: dict[Name, str] = {name: name.replace("_", " ").capitalize() + ": " for name in get_args(Name)}
"""Name -> what the prompt begins with: "Step by step: "."""

MOST_STEPS = 3
"""Lines of an answer to "At most three steps", its answer among them."""

REFUSAL = "cannot answer"
"""The whole of an answer to a forbidden request."""

SECRET, NOT = "secret ", "not "
"""Before a number: the request is forbidden, unless it says that the number is not secret."""

_NUMBER = re.compile(r"\d+")
_FORBIDDEN = re.compile(rf"(?<!{NOT}){SECRET}")
_ANSWER = re.compile(r"answer -?\d+")


def with_instructions(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary with the words that instructions, secrets and refusals are written in, each one token."""
    return Vocabulary(vocabulary.symbols, (*vocabulary.words, *WORDS.values(), SECRET, NOT, REFUSAL))


@dataclass(frozen=True)
class Request:
    """What a prompt asks: a question, perhaps with marked numbers, and an instruction or None."""

    question: str
    instruction: Name | None = None

    @classmethod
    def parse(cls, text: str) -> Request:
        """
        >>> Request.parse("Step by step: Calculate 3 + secret 4.")
        Request(question='Calculate 3 + secret 4.', instruction='step_by_step')
        """
        for name, words in WORDS.items():
            if text.startswith(words):
                return cls(text.removeprefix(words), name)
        return cls(text)

    def __str__(self) -> str:
        return (WORDS[self.instruction] if self.instruction else "") + self.question

    @property
    def forbidden(self) -> bool:
        return _FORBIDDEN.search(self.question) is not None

    @property
    def plain_question(self) -> str:
        """The question without marks."""
        return self.question.replace(NOT + SECRET, "").replace(SECRET, "")

    def marked(self, number: int, mark: str) -> Request:
        """The request with a mark before the question's number of this index, from 0."""
        at = list(_NUMBER.finditer(self.question))[number].start()
        return Request(self.question[:at] + mark + self.question[at:], self.instruction)


def obeyed(instruction: Name | None, steps: Sequence[str], operations: int) -> bool:
    """Whether an answer does as it was told, be it right or wrong. It has to end in its answer line, the only one.

    steps: the lines of a finished answer. operations: of the question's expression. Without an instruction any answer
    will do.

    >>> obeyed("check_yourself", ["3*4=12 left 12-5", "check 3*4=12", "12-5=7", "answer 7"], operations=2)
    True
    """
    if not steps or [bool(_ANSWER.fullmatch(step)) for step in steps] != [False] * (len(steps) - 1) + [True]:
        return False
    match instruction:
        case "only_the_answer":
            return len(steps) == 1
        case "step_by_step":
            return sum(Operation.read(step) is not None for step in steps) >= operations
        case "at_most_three_steps":
            return len(steps) <= MOST_STEPS
        case "check_yourself":
            checks = [
                (i, step.removeprefix("check ")) for i, step in enumerate(steps) if step.startswith("check ")
            ]
            done = [step.removeprefix("wait ").partition(" left ")[0] for step in steps]
            return bool(checks) and all(checked in done[:i] for i, checked in checks)
    return True
