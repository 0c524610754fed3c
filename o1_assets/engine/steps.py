"""Where a solution's steps begin and end, in text and in tokens.

One step a line, and blank lines are no steps; or, where the tokenizer of a pre-trained model says so, one step a
paragraph. A checkpoint's tokenizer carries it (`base/pretrained.py`), so that all its descendants agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LINE, PARAGRAPH = "\n", "\n\n"

# In tokenizer_config.json; without it, a step is a line.
SETTING = "step_separator"
_PIECES: WeakKeyDictionary[PreTrainedTokenizerBase, dict[int, str]] = WeakKeyDictionary()
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


def separator(tokenizer: Any) -> str:
    """What stands between two steps: LINE or PARAGRAPH."""
    return str(getattr(tokenizer, "init_kwargs", {}).get(SETTING, LINE))


def split_steps(text: str, separator: str = LINE) -> list[str]:
    """The steps of a solution's text, without what separates them."""
    if separator == LINE:
        return [line for line in text.split("\n") if line.strip()]
    return [part.strip("\n") for part in _BLANK_LINE.split(text) if part.strip()]


def token_text(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """The text of one token; empty for special tokens. Remembered for each tokenizer."""
    pieces = _PIECES.setdefault(tokenizer, {})
    piece = pieces.get(token)
    if piece is None:
        piece = pieces[token] = str(tokenizer.decode([token], skip_special_tokens=True))
    return piece


def step_ends(token_ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Index into token_ids of each step's last token: the one that holds its (last) newline.

    There are as many as `split_steps` finds steps in the decoded text. A last step without a newline ends at its last
    token with text. Holds for tokens that contain a newline among other characters (".\\n", "\\n\\n"); one token
    that ends two steps is listed twice.
    """
    needed = len(separator(tokenizer))  # newlines in a row that end a step
    ends: list[int] = []
    # Letter by letter through the tokens' own texts: decoding the whole and searching in it would not say which token
    # a newline belongs to, and large vocabularies have tokens that hold one among other letters.
    open_step, newlines, last_text = False, 0, -1
    for i, token in enumerate(token_ids):
        piece = token_text(tokenizer, token)
        for letter in piece:
            if letter == "\n":
                newlines += 1
                if open_step and newlines >= needed:
                    ends.append(i)
                    open_step = False
            elif not letter.isspace():  # spaces neither begin a step nor interrupt a blank line
                open_step, newlines = True, 0
        if open_step and piece.strip():
            last_text = i
    if open_step:
        ends.append(last_text)
    return ends


def ends_step(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    """Whether the token ends a step by itself."""
    piece = token_text(tokenizer, token)
    return LINE in piece if separator(tokenizer) == LINE else bool(_BLANK_LINE.search(piece))


def half_ends(tokenizer: PreTrainedTokenizerBase, token: int) -> tuple[bool, bool]:
    """Whether the token ends a paragraph together with its neighbour: as the first of the two, as the second.

    The first ends with a newline, the second begins with one.
    """
    blank = token_text(tokenizer, token).replace(" ", "").replace("\t", "")
    return blank.endswith("\n"), blank.startswith("\n")


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
