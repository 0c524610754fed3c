"""Graded homework: what pupils wrote, with the marks of a teacher in its margin.

A corpus of real texts has such pages, and reading them costs no labels. The teachers are people of this world: they
hold misconceptions themselves, and mark a step by whether it is what they would have written. So the pages teach how to
read a step (which rule it follows, whether its numbers are those that are left, whether its sum is right) more than
which rule is right: that is left for the labels.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from o1_assets.base.config import CorpusConfig
from o1_assets.problems.expression import Expression, Operation, apply
from o1_assets.problems.worlds.arithmetic.misconceptions import ORDER
from o1_assets.problems.worlds.arithmetic.teacher import WORDINGS, Teacher, draw_expression
from o1_assets.reward.aggregate import NEGATIVE, NEUTRAL, POSITIVE
from o1_assets.reward.config import HomeworkConfig

LONGEST_STEP = 48
"""Characters; a pupil who goes astray may reach numbers of any length."""

# A word, a number with its sign, a sign: a number that is wrong in one digit is wrong as a whole.
_SYMBOL = re.compile(r"[a-z]+ |(?<!\d)-?\d+|.")

# How far off a result is that a pupil works out wrongly.
_OFF = (*range(-10, 0), *range(1, 11))


@dataclass(frozen=True)
class Marked:
    """One pupil's steps up to the first one marked wrong, with their marks (`aggregate`'s classes).

    agreed: characters of the last step before the first one that the teacher would not have written.
    """

    steps: tuple[str, ...]
    marks: tuple[int, ...]
    agreed: int


@dataclass(frozen=True)
class Page:
    """A question, and what several pupils answered."""

    question: str
    pupils: tuple[Marked, ...]


def draw_homework(
    corpus: CorpusConfig, config: HomeworkConfig, seed: int, exclude: Collection[str]
) -> Iterator[Page]:
    """config.pages pages, those of short expressions first. exclude: expressions, as `draw_corpus` takes them."""
    rng = Random(seed)
    marker = corpus.model_copy(
        update={
            "misconception_scale": corpus.misconception_scale * config.marker_scale,
            "slip_rate": config.marker_slip_rate,
        }
    )
    written = 0
    while written < config.pages:
        is_drill = rng.random() < config.drill_share
        terms = min(corpus.max_terms, 3 + int(written / config.pages / config.curriculum))
        expression = _drill(rng) if is_drill else draw_expression(corpus, rng, terms)
        if expression.compact in exclude:
            continue
        teacher = Marker(marker, rng)  # of a whole page, so that its marks follow one mind
        count = config.drill_pupils if is_drill else config.pupils
        pupils = tuple(_mark(expression, Pupil(corpus, config, rng), teacher) for _ in range(count))
        if any(len(step) > LONGEST_STEP for pupil in pupils for step in pupil.steps):
            continue
        yield Page(rng.choice(WORDINGS).format(expression), pupils)
        written += 1


def _drill(rng: Random) -> Expression:
    """A single operation, of numbers as they occur on the way to an answer."""
    op = rng.choice("++--*")
    first = rng.randint(-12, 12) if op == "*" else rng.randint(-40, 60)
    second = rng.randint(-10 if rng.random() < 0.3 else 0, 4 if op == "*" else 20)
    return Expression((first, second), (op,))


class Marker(Teacher):
    """A teacher who marks. All that is not what they would have written is wrong."""

    def expected(self, state: Expression) -> list[Operation]:
        """Every step that they would write next."""
        legal = state.legal_indices()
        indices = legal
        for misconception in ORDER:
            index = misconception.rule(state)
            if index is not None and index not in legal and self.holds(misconception):
                indices = [index]
                break
        return [Operation.at(state, i, self.result(state, i)[0]) for i in indices]

    def answer(self, state: Expression) -> int:
        """What they would answer, going on from here."""
        while state.ops:
            state = _after(self.expected(state)[0])
        return state.numbers[0]


class Pupil(Teacher):
    """A writer who also slips: a number or an operator copied wrongly, any operation first, a wrong sum, a wrong rest
    of the expression."""

    def __init__(self, corpus: CorpusConfig, config: HomeworkConfig, rng: Random) -> None:
        super().__init__(corpus, rng)
        self.homework = config

    def step(self, state: Expression, written: Sequence[int]) -> Operation:
        """The next step. written: all numbers on the paper so far, which may be copied in place of the right one."""
        rng, slip = self.rng, self.homework.slip_rate
        index = rng.randrange(len(state.ops)) if rng.random() < slip else self.next_index(state)[0]
        done = Operation.at(state, index, self.result(state, index)[0])
        if (len(state.ops) == 1 and rng.random() < self.homework.drill_slip_rate) or rng.random() < slip:
            off = rng.choice(_OFF) if rng.random() < 0.85 else -2 * done.result
            return Operation.at(state, index, done.result + off)
        if rng.random() < slip:
            return self._miscopied(done, state, index, written)
        if done.left and rng.random() < slip:
            return done._replace(left=self._mistaken(state.reduce(index, done.result), written))
        return done

    def _miscopied(self, done: Operation, state: Expression, index: int, written: Sequence[int]) -> Operation:
        """The operation with a number or its sign copied wrongly. What is left is written as if it were right."""
        rng = self.rng
        a, op, b, result, _ = done
        which = rng.randrange(4)
        if which in (0, 3):
            a = rng.choice((*state.numbers, *written, a + 1, a - 1, -a))
        if which in (1, 3):
            b = rng.choice((*state.numbers, *written, b + 1, b - 1, -b))
        if which == 2 or rng.random() < 0.2:
            op = rng.choice("+-*")
        # Most work out what they copied; some have the right result all the same.
        result = apply(a, op, b) if rng.random() < 0.7 else result
        return Operation(a, op, b, result, Operation.at(state, index, result).left)

    def _mistaken(self, left: Expression, written: Sequence[int]) -> str:
        """What is left, with one thing wrong: another number or sign, an operation lost or written twice."""
        rng = self.rng
        numbers, ops = list(left.numbers), list(left.ops)
        at, which = rng.randrange(len(ops)), rng.randrange(4)
        if which == 0:
            place = at + rng.randrange(2)
            number = numbers[place]
            numbers[place] = rng.choice([n for n in (*written, number + 1, number - 1) if n != number])
        elif which == 1:
            ops[at] = rng.choice([op for op in "+-*" if op != ops[at]])
        elif which == 2 and len(ops) > 1:
            del ops[at], numbers[at + rng.randrange(2)]
        else:
            ops.insert(at + 1, ops[at])
            numbers.insert(at + 2, numbers[at + 1])
        return Expression(tuple(numbers), tuple(ops)).compact


def _mark(expression: Expression, pupil: Pupil, teacher: Marker) -> Marked:
    """What a pupil writes until the teacher marks a step wrong."""
    rng, config = pupil.rng, pupil.homework
    steps: list[str] = []
    marks: list[int] = []
    state, before = expression, None
    done: list[Operation] = []
    written = list(expression.numbers)
    while True:
        draw = rng.random()
        ends = not state.ops or draw > 1 - config.early_rate
        if done and draw < config.repeat_rate / 2:
            text, mark = "check", NEUTRAL
            claims = [step._replace(left=None) for step in done]
            claim = rng.choice(claims)
            if rng.random() < 0.3:
                claim = claim._replace(result=claim.result + rng.choice(_OFF))
        elif done and before is not None and draw < config.repeat_rate:
            text, mark = "wait", NEUTRAL
            claims, claim = teacher.expected(before), pupil.step(before, written)
        elif ends:
            answer, right = _answer(expression, state, rng), teacher.answer(state)
            return _page_end(steps, marks, f"answer {answer}", [f"answer {right}"])
        else:
            text, mark = "", POSITIVE
            claims, claim = teacher.expected(state), pupil.step(state, written)
        line = f"{text} {claim}".lstrip()
        if claim not in claims:
            return _page_end(steps, marks, line, [f"{text} {c}".lstrip() for c in claims])
        steps.append(line)
        marks.append(mark)
        if text == "check":
            continue
        if text == "wait" and before is not None:
            done[-1], state = claim, _after(claim)
        else:
            done.append(claim)
            before, state = state, _after(claim)
        written.append(claim.result)


def _page_end(steps: list[str], marks: list[int], last: str, expected: list[str]) -> Marked:
    """The marked solution with its last step, which is right if it is one of those expected."""
    agreed = max((_common(last, text) for text in expected), default=0)
    mark = POSITIVE if last in expected else NEGATIVE
    return Marked((*steps, last), (*marks, mark), agreed)


def _answer(expression: Expression, state: Expression, rng: Random) -> int:
    """The number that a pupil answers with, who may not have worked everything out."""
    if state.ops and rng.random() < 0.5:
        return expression.value()
    return state.numbers[0] + (rng.choice(_OFF) if rng.random() < 0.2 else 0)


def _after(done: Operation) -> Expression:
    """What is left after a step that its teacher would have written."""
    return Expression.parse(done.left or str(done.result))


def _common(a: str, b: str) -> int:
    """Characters of the leading symbols that two texts share."""
    shared = 0
    for x, y in zip(_SYMBOL.findall(a), _SYMBOL.findall(b), strict=False):
        if x != y:
            break
        shared += len(x)
    return shared
