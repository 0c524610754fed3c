"""Constrained decoding: a sample is written as a pattern says, because tokens that would leave it are masked.

The masks are xgrammar's (Dong et al., arXiv:2411.15100), which compiles a regular expression for a tokenizer. What is
left is drawn as ever, from the model's probabilities of the tokens that the pattern allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ConstrainedRows:
    """The rows of a batch, each somewhere in the pattern. It ends with one of the tokens `ends`.

    vocabulary: of the model, which may know more tokens than the tokenizer.
    """

    def __init__(
        self,
        pattern: str,
        rows: int,
        tokenizer: PreTrainedTokenizerBase,
        vocabulary: int,
        ends: Sequence[int],
    ) -> None:
        import xgrammar

        compiled = _compiled(pattern, tokenizer, vocabulary, tuple(ends))
        self._matchers = [xgrammar.GrammarMatcher(compiled) for _ in range(rows)]
        self._bits = xgrammar.allocate_token_bitmask(rows, vocabulary)

    def masked(self, logits: torch.Tensor) -> torch.Tensor:
        """A copy of the logits (rows, vocabulary) with -inf where the pattern allows no such token."""
        import xgrammar

        bits = self._bits[: len(self._matchers)]
        bits.fill_(-1)  # of a row that has ended every token is allowed: nobody reads what is drawn there
        for row, matcher in enumerate(self._matchers):
            if not matcher.is_terminated():
                matcher.fill_next_token_bitmask(bits, row)
        masked = logits.clone()
        xgrammar.apply_token_bitmask_inplace(masked, bits)
        return masked

    def accept(self, tokens: torch.Tensor) -> None:
        """tokens: what was drawn for each row, (rows,)."""
        for matcher, token in zip(self._matchers, tokens.tolist(), strict=True):
            if not matcher.is_terminated():
                matcher.accept_token(token)

    def select(self, rows: Sequence[int]) -> None:
        """Drops all rows but these."""
        self._matchers = [self._matchers[row] for row in rows]


# A batch needs it as often as it is cut in parts, and tokenizers are the same objects as long as an engine is open.
@lru_cache(maxsize=8)
def _compiled(
    pattern: str, tokenizer: PreTrainedTokenizerBase, vocabulary: int, ends: tuple[int, ...]
) -> Any:
    import xgrammar

    info = xgrammar.TokenizerInfo.from_huggingface(
        tokenizer, vocab_size=vocabulary, stop_token_ids=list(ends)
    )
    return xgrammar.GrammarCompiler(info, max_threads=1).compile_regex(pattern)
