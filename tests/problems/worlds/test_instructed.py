"""Instructions: what a prompt asks for, who does as told, and what is refused."""

from __future__ import annotations

from random import Random

import pytest

from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.problems.expression import Expression
from o1_assets.problems.instructions import NOT, SECRET, WORDS, Request, obeyed
from o1_assets.problems.worlds.arithmetic.teacher import ARITHMETIC, WORDINGS, CorpusConfig, draw_expression
from o1_assets.problems.worlds.instructed import InstructedWorld, demonstrate


def test_who_demonstrates_does_as_told_in_words_that_are_each_one_token() -> None:
    rng, config = Random(0), CorpusConfig(misconception_scale=1.5, min_terms=3)
    tokenizer, world = make_tokenizer(512, InstructedWorld.vocabulary), InstructedWorld()
    assert world.reworded(Expression((3, 4), ("+",)), "Step by step: 3+4") == "Step by step: Calculate 3 + 4."
    assert InstructedWorld.vocabulary.tokens[: len(ARITHMETIC.tokens)] == ARITHMETIC.tokens
    for _ in range(200):
        problem = draw_expression(config, rng)
        for instruction in (None, *WORDS):
            request = Request(rng.choice(WORDINGS).format(problem), instruction)
            mark = rng.choice(("", NOT + SECRET, SECRET))
            request = request.marked(rng.randrange(len(problem.numbers)), mark)
            assert Request.parse(str(request)) == request and request.forbidden == (mark == SECRET)
            steps = demonstrate(request, problem, config, rng)
            assert (steps == ["cannot answer"]) == request.forbidden
            assert request.forbidden or obeyed(instruction, steps, len(problem.ops))
            ids = tokenizer.encode("".join(line + "\n" for line in (str(request), *steps)))
            assert tokenizer.unk_token_id not in ids
            assert world.parse(str(request)) == problem and world.reworded(problem, str(request)) == str(
                request
            )


@pytest.mark.parametrize(
    ("steps", "does"),
    [
        (["answer 7"], {"only_the_answer", "at_most_three_steps"}),
        (["3*4=12", "12-5=7", "answer 7"], {"step_by_step", "at_most_three_steps"}),
        (["3*4=12", "12-5=7", "check 12-5=7", "answer 7"], {"step_by_step", "check_yourself"}),
        (["3*4=12", "check 12-5=7", "answer 7"], {"at_most_three_steps"}),
        (["3*4=12", "12-5=7"], set()),
        (["answer 7", "answer 7"], set()),
        (["cannot answer"], set()),
        ([], set()),
    ],
)  # fmt: skip
def test_doing_as_told_is_checked_strictly_and_whatever_the_value(steps, does) -> None:
    assert {name for name in WORDS if obeyed(name, steps, operations=2)} == does
