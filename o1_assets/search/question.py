"""A person's question, as a model that knows one kind of problem can read it, and what its training never had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from o1_assets.base.config import TrainedBase
from o1_assets.base.tokenizer import unknown_pieces
from o1_assets.core.errors import O1Error
from o1_assets.problems.worlds.registry import WORLDS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from o1_assets.profiles.profile import Profile


class UnreadableQuestion(O1Error):
    """The model has no tokens for it, or no room; the message says which and why."""


@dataclass(frozen=True)
class Question:
    """asked: as it was given; text: as the model is asked. unusual: in words, what the model's training never had;
    usual: a problem of the kind that it had. picture: the problem as people draw it, such as a board. known: whether
    it is a problem of the kind that the model knows. place: where it stands, for messages, such as "line 3"; "" for
    an argument of the command."""

    asked: str
    text: str
    unusual: tuple[str, ...] = ()
    usual: str = ""
    picture: str = ""
    known: bool = True
    place: str = ""

    def warning(self) -> str:
        """One sentence; empty where nothing is unusual."""
        if not self.unusual:
            return ""
        read = f', read as "{self.text}"' if self.text != self.asked else ""
        return _at(self.place) + (
            f'"{self.asked}"{read}: {"; ".join(self.unusual)}. The model only knows problems such as "{self.usual}", '
            "so its answer is a guess"
        )


def read_question(asked: str, profile: Profile, place: str = "") -> Question:
    """A problem of the base's world is put into a wording that the model knows; anything else stays as it is.

    Raises UnreadableQuestion on what is no text.
    """
    asked = asked.strip()
    try:
        asked.encode()
    except UnicodeEncodeError as error:
        # Bytes of a terminal or a pipe that are no UTF-8 come as lone surrogates, which no tokenizer takes.
        raise UnreadableQuestion(
            f"{_at(place)}{asked[:60]!a} cannot be asked: letter {error.start + 1} is no character; give the question "
            "as UTF-8"
        ) from None
    base = profile.base
    if not isinstance(base, TrainedBase):
        return Question(asked, asked, place=place)
    world = WORLDS[base.world]
    problem = world.parse(asked)
    if problem is None:
        return Question(asked, asked, (world.unread,), world.usual, known=False, place=place)
    unusual = tuple(world.unusual(problem, base.corpus))
    text, picture = world.reworded(problem, asked), world.picture(problem)
    return Question(asked, text, unusual, world.usual, picture, place=place)


def unreadable(question: Question, prompt: str, tokenizer: PreTrainedTokenizerBase, room: int) -> str:
    """Why a question cannot be asked: it has unknown tokens, or leaves no room for `room` more; "" where it can."""
    if not question.text:
        return f"{_at(question.place)}the question is empty"
    ids = tokenizer.encode(prompt, add_special_tokens=False)
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
        return (
            f'{_at(question.place)}"{question.asked}" cannot be asked: the model has no tokens for '
            f"{unknown_pieces(prompt, tokenizer)}"
            + (f'; its problems look like "{question.usual}"' if question.usual else "")
        )
    if len(ids) + room > tokenizer.model_max_length:
        return (
            f'{_at(question.place)}"{question.asked[:60]}..." cannot be asked: {len(ids)} tokens leave no room for a '
            f"solution of {room}; the model reads {tokenizer.model_max_length}"
        )
    return ""


def _at(place: str) -> str:
    return f"{place}: " if place else ""
