"""Where a solution's steps begin and end, in text and in tokens. One step a line; blank lines are no steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PIECES: WeakKeyDictionary[PreTrainedTokenizerBase, dict[int, str]] = WeakKeyDictionary()


def split_steps(text: str) -> list[str]:
    """The steps of a solution's text, without their newlines."""
    return [line for line in text.split("\n") if line.strip()]


def token_text(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """The text of one token; empty for special tokens. Remembered for each tokenizer."""
    pieces = _PIECES.setdefault(tokenizer, {})
    piece = pieces.get(token)
    if piece is None:
        piece = pieces[token] = str(tokenizer.decode([token], skip_special_tokens=True))
    return piece


def step_ends(token_ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Index into token_ids of each step's last token: the one that holds its newline.

    As many as split_steps gives of the decoded text. A last step without a newline ends at its last token
    with text. Holds for tokens that contain a newline among other characters (".\\n", "\\n\\n"); one token
    that ends two steps is listed twice.
    """
    ends: list[int] = []
    open_step, last_text = False, -1
    for i, token in enumerate(token_ids):
        piece = token_text(tokenizer, token)
        if not piece:
            continue
        head, *rest = piece.split("\n")
        open_step = open_step or bool(head.strip())
        for line in rest:
            if open_step:
                ends.append(i)
            open_step = bool(line.strip())
        if open_step:
            last_text = i
    if open_step:
        ends.append(last_text)
    return ends


def ends_step(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    """Whether the token contains a newline."""
    return "\n" in token_text(tokenizer, token)
