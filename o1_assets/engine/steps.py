"""Where a solution's steps begin and end, in text and in tokens.

One step a line; or, where the tokenizer of a pre-trained model says so, one step a paragraph. A checkpoint's tokenizer
carries it (`base/pretrained.py`), so that all its descendants agree. A stretch without any visible character is no
step.

A step is defined on the text, and only there. Its last token follows from a count: the line breaks of the decoded text
are those of the tokens, in the same order, because a line break is a single byte and never a part of another character.
Nothing else can be counted that way. A no-break space may be spread over two tokens, of which neither is a space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from o1_assets.core.errors import O1Error

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")
LINE, PARAGRAPH = "\n", "\n\n"

# In tokenizer_config.json; without it, a step is a line.
SETTING = "step_separator"
_PIECES: WeakKeyDictionary[PreTrainedTokenizerBase, dict[int, str]] = WeakKeyDictionary()
# A policy that is sure of itself writes the same solution again and again, and it is read by several models.
_STEPS: WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[int, ...], list[Step]]] = WeakKeyDictionary()
_MOST_REMEMBERED = 4096

# What a blank line may hold. Spaces of one byte only: a sampler has to see a paragraph's end token by token, and any
# other space may be spread over several.
_SPACES = r"[ \t\r\f\v]*"
_ENDS = {LINE: re.compile(r"\n"), PARAGRAPH: re.compile(rf"\n{_SPACES}\n")}
_BEGINS, _CONTINUES, _COMPLETES = (
    re.compile(pattern) for pattern in (rf"\n{_SPACES}\Z", rf"{_SPACES}\Z", rf"{_SPACES}\n")
)

# Controls, formats (zero-width characters, direction marks) and separators: nobody sees a difference.
_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}


class StepsDiffer(O1Error, ValueError):
    """Two accounts of a solution's steps do not agree; the message names the solution."""


@dataclass(frozen=True)
class Step:
    """text: without the separator. end: index of its last token, the one that holds the separator's last line break."""

    text: str
    end: int


def separator(tokenizer: Any) -> str:
    """What stands between two steps: LINE or PARAGRAPH."""
    return str(getattr(tokenizer, "init_kwargs", {}).get(SETTING, LINE))


def is_blank(text: str) -> bool:
    """Whether nothing in the text can be seen."""
    return not text.strip() or all(unicodedata.category(letter) in _INVISIBLE for letter in text)


def split_steps(text: str, separator: str = LINE) -> list[str]:
    """The steps of a solution's text, without what separates them."""
    return [step for step, _ in _steps(text, separator)]


def find_steps(token_ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[Step]:
    """The steps of the decoded text, each with its last token.

    A last step without a separator ends at its last visible token. One token that ends two steps is the end of both.
    Raises StepsDiffer for a tokenizer whose tokens have other line breaks than the text that it decodes them to.
    """
    known, key = _STEPS.setdefault(tokenizer, {}), tuple(token_ids)
    if key not in known:
        if len(known) >= _MOST_REMEMBERED:
            known.clear()
        known[key] = _find_steps(key, tokenizer)
    return list(known[key])


def _find_steps(token_ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[Step]:
    text = str(tokenizer.decode(list(token_ids), skip_special_tokens=True))
    pieces = [token_text(tokenizer, token) for token in token_ids]
    breaks = [i for i, piece in enumerate(pieces) for _ in range(piece.count("\n"))]
    if len(breaks) != text.count("\n"):
        raise StepsDiffer(
            f"the solution that begins {text[:60]!r} has {text.count(chr(10))} line breaks and its tokens have "
            f"{len(breaks)}, so that its steps cannot be found: take a model whose tokenizer keeps line breaks"
        )
    last = next((i for i in reversed(range(len(pieces))) if not is_blank(pieces[i])), len(pieces) - 1)
    return [
        Step(step, last if seen is None else breaks[seen - 1])
        for step, seen in _steps(text, separator(tokenizer))
    ]


def step_ends(token_ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Index into token_ids of the last token of each of `find_steps`."""
    return [step.end for step in find_steps(token_ids, tokenizer)]


def pair_steps(solution: str, steps: Sequence[str], values: Sequence[T]) -> Iterator[tuple[str, T]]:
    """Each step of a solution with its value. Raises StepsDiffer unless there are equally many."""
    if len(steps) != len(values):
        raise StepsDiffer(
            f"solution {solution} has {len(steps)} steps and {len(values)} values for them: its table was made with "
            "another tokenizer or version; make it and what was read from it again"
        )
    return zip(steps, values, strict=True)


def as_one_step(text: str, separator: str = LINE) -> str:
    """A step that somebody else wrote, without separators in it: one step in training has to be one in reading.

    Of PRM800K's last steps many hold several paragraphs ("That is right.\\n\\n# Answer\\n\\n468"). Their line breaks
    become spaces, or, where a step is a paragraph, their blank lines become line breaks.
    """
    if "\n" not in text:
        return text
    between = " " if separator == LINE else "\n"
    return between.join(part.strip() for part in split_steps(text, separator))


def _steps(text: str, separator: str) -> Iterator[tuple[str, int | None]]:
    """Each step, and how many line breaks the text has up to its end; None if the text ends first."""
    start = seen = 0
    for match in _ENDS[separator].finditer(text):
        seen += text.count("\n", start, match.end())
        if not is_blank(step := text[start : match.start()]):
            yield step.strip("\n"), seen
        start = match.end()
    if not is_blank(step := text[start:]):
        yield step.strip("\n"), None


# Token by token, as a sampler sees them.


def token_text(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """The text of one token; empty for special tokens. Remembered for each tokenizer."""
    pieces = _PIECES.setdefault(tokenizer, {})
    piece = pieces.get(token)
    if piece is None:
        piece = pieces[token] = str(tokenizer.decode([token], skip_special_tokens=True))
    return piece


def ends_step(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    """Whether the token ends a step by itself."""
    return bool(_ENDS[separator(tokenizer)].search(token_text(tokenizer, token)))


def blank_line_parts(tokenizer: PreTrainedTokenizerBase, token: int) -> tuple[bool, bool, bool]:
    """Whether the token begins a blank line, continues one that began before it, completes one that did.

    A token that completes a blank line ends a paragraph together with those before it.
    """
    piece = token_text(tokenizer, token)
    return bool(_BEGINS.search(piece)), bool(_CONTINUES.match(piece)), bool(_COMPLETES.match(piece))


def close_last(
    token_ids: Sequence[int], ends: Sequence[int], tokenizer: PreTrainedTokenizerBase
) -> tuple[list[int], list[int]]:
    """Tokens up to the end of the last step, and the ends, with the last step closed as the others are.

    Reward models are trained on steps that end with their separator, and pre-trained models write none after the
    last one. nano's do, so there a step that lacks it was cut off and stays so.
    """
    tokens, closed = list(token_ids[: ends[-1] + 1]) if ends else [], list(ends)
    if (
        ends
        and SETTING in getattr(tokenizer, "init_kwargs", {})
        and "\n" not in token_text(tokenizer, tokens[-1])
    ):
        tokens += tokenizer.encode(separator(tokenizer), add_special_tokens=False)
        closed[-1] = len(tokens) - 1
    return tokens, closed
