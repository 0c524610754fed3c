"""A person's question, as a model that knows one kind of problem can read it, and what its training never had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from o1_assets.base.config import BaseConfig, CountdownBase
from o1_assets.base.corpus import WORDINGS
from o1_assets.core.errors import O1Error
from o1_assets.problems.canonical import arithmetic, flat_expression
from o1_assets.problems.countdown import Countdown, reachable
from o1_assets.problems.expression import Expression

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from o1_assets.base.config import CorpusConfig, CountdownCorpus
    from o1_assets.profiles.profile import Profile

USUAL = "What is 3 * 4 - 5?"
USUAL_COUNTDOWN = "Use 8, 7, 3 and 2 to make 24."


class UnreadableQuestion(O1Error):
    """The model has no tokens for it, or no room; the message says which and why."""


@dataclass(frozen=True)
class Question:
    """asked: as it was given; text: as the model is asked. unusual: in words, what the model's training never had;
    usual: a problem of the kind that it had."""

    asked: str
    text: str
    unusual: tuple[str, ...] = ()
    usual: str = USUAL

    def warning(self) -> str:
        """One sentence; empty where nothing is unusual."""
        if not self.unusual:
            return ""
        read = f', read as "{self.text}"' if self.text != self.asked else ""
        return (
            f'"{self.asked}"{read}: {"; ".join(self.unusual)}. The model only knows problems such as "{self.usual}", '
            "so its answer is a guess"
        )


def read_question(asked: str, profile: Profile) -> Question:
    """Arithmetic in any wording and spacing is put into one that the model knows; anything else stays as it is."""
    asked = asked.strip()
    try:
        asked.encode()
    except UnicodeEncodeError as error:
        # Bytes of a terminal or a pipe that are no UTF-8 come as lone surrogates, which no tokenizer takes.
        raise UnreadableQuestion(
            f"{asked[:60]!a} cannot be asked: letter {error.start + 1} is no character; give the question as UTF-8"
        ) from None
    if isinstance(profile.base, CountdownBase):
        return _read_countdown(asked, profile.base.corpus)
    if profile.problems.arithmetic is None or not isinstance(profile.base, BaseConfig):
        return Question(asked, asked)
    expression = flat_expression(arithmetic(asked) or "")
    if expression is None:
        return Question(asked, asked, ("it is no expression of whole numbers joined by + - *",))
    # A question in one of the corpus's wordings stays as it is: the model has learned all of them.
    wordings = [wording.format(expression) for wording in WORDINGS]
    text = asked if asked in wordings else f"Calculate {expression}."
    return Question(asked, text, tuple(_beyond(expression, profile.base.corpus)))


def _read_countdown(asked: str, corpus: CountdownCorpus) -> Question:
    """The problem in the corpus' wording, its numbers in descending order."""
    problem = Countdown.parse(asked)
    if problem is None:
        return Question(asked, asked, ("it gives no numbers and a target to make of them",), USUAL_COUNTDOWN)
    unusual = []
    if not corpus.min_numbers <= len(problem.numbers) <= corpus.max_numbers:
        unusual.append(f"{len(problem.numbers)} numbers, not {corpus.min_numbers} to {corpus.max_numbers}")
    for number in dict.fromkeys(problem.numbers):
        if not corpus.min_number <= number <= corpus.max_number:
            unusual.append(f"{number} is not from {corpus.min_number} to {corpus.max_number}")
    if not corpus.min_target <= problem.target <= corpus.max_target:
        unusual.append(f"the target {problem.target} is not from {corpus.min_target} to {corpus.max_target}")
    if not reachable(problem.numbers, problem.target):
        unusual.append("no way through whole numbers reaches the target")
    return Question(asked, str(problem), tuple(unusual), USUAL_COUNTDOWN)


def _beyond(expression: Expression, corpus: CorpusConfig) -> list[str]:
    """What the expression has and the corpus never has, in words."""
    unusual = []
    terms = len(expression.numbers)
    if not corpus.min_terms <= terms <= corpus.max_terms:
        unusual.append(f"{terms} number{'s' * (terms > 1)}, not {corpus.min_terms} to {corpus.max_terms}")
    for number in dict.fromkeys(expression.numbers):
        if not corpus.min_number <= number <= corpus.max_number:
            unusual.append(f"{number} is not from {corpus.min_number} to {corpus.max_number}")
    pairs = zip(expression.ops, expression.numbers, expression.numbers[1:], strict=False)
    factors = [max(a, b) for op, a, b in pairs if op == "*"]
    if factors and corpus.max_factor < max(factors) <= corpus.max_number:
        unusual.append(f"{max(factors)} is multiplied, and factors go to {corpus.max_factor}")
    largest = _largest_value(expression)
    if largest > corpus.max_value:
        unusual.append(f"a value on the way is {largest}, beyond {corpus.max_value}")
    return unusual


def _largest_value(state: Expression) -> int:
    """The largest absolute value of an operation's result, in the standard order."""
    largest = 0
    while state.ops:
        index = state.next_index()
        state = state.reduce(index)
        largest = max(largest, abs(state.numbers[index]))
    return largest


def check_readable(
    questions: Sequence[Question], prompts: Sequence[str], tokenizer: PreTrainedTokenizerBase, room: int
) -> None:
    """Raises UnreadableQuestion where a question has unknown tokens, or leaves no room for `room` more of them."""
    for question, prompt in zip(questions, prompts, strict=True):
        ids = tokenizer.encode(prompt, add_special_tokens=False)
        if not question.text:
            raise UnreadableQuestion("the question is empty")
        if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
            raise UnreadableQuestion(
                f'"{question.asked}" cannot be asked: the model has no tokens for {_unknown(prompt, tokenizer)}; '
                f'its problems look like "{question.usual}"'
            )
        if len(ids) + room > tokenizer.model_max_length:
            raise UnreadableQuestion(
                f'"{question.asked[:60]}..." cannot be asked: {len(ids)} tokens leave no room for a solution of '
                f"{room}; the model reads {tokenizer.model_max_length}"
            )


def _unknown(text: str, tokenizer: PreTrainedTokenizerBase, shown: int = 5) -> str:
    """The pieces of `text` that have no token."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    pieces: list[str] = []
    before = -1  # where the last unknown token ended: neighbours are shown as one piece
    for token, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
        if token == tokenizer.unk_token_id:
            if start == before:
                pieces[-1] += text[start:end]
            else:
                pieces.append(text[start:end])
            before = end
    quoted = [f'"{piece}"' for piece in dict.fromkeys(piece.strip() or piece for piece in pieces)]
    return ", ".join(quoted[:shown]) + (f" and {len(quoted) - shown} more" if len(quoted) > shown else "")
