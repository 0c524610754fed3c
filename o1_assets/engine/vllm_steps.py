"""Where vLLM's sample of one step ends: at one token, at which vLLM stops by itself, or at two.

vLLM stops at tokens, not at pairs of them. What it wrote past a pair is cut off; a sample's tokens are drawn one by
one from its own stream, so that what is left is what stopping there would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from o1_assets.engine.steps import LINE, ends_step, half_ends, separator

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class StepEnds:
    """Of one tokenizer. single: the tokens that end a step by themselves."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        known = range(len(tokenizer))
        self.single = [i for i in known if ends_step(tokenizer, i)]
        self._first: set[int] = set()
        self._second: set[int] = set()
        if separator(tokenizer) == LINE:
            return
        for token in known:
            first, second = half_ends(tokenizer, token)
            if first:
                self._first.add(token)
            if second:
                self._second.add(token)

    def pair(self, token_ids: Sequence[int]) -> int | None:
        """How many tokens a sample has up to the first two that end a step between them, None without such two."""
        for i in range(1, len(token_ids)):
            if token_ids[i] in self._second and token_ids[i - 1] in self._first:
                return i + 1
        return None
