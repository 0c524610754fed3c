"""A vocabulary for random weights: small, so that they write line breaks and ends as often as a test needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.base.tokenizer import ARITHMETIC, Vocabulary, make_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Of ARITHMETIC's 219 tokens, 199 are numbers, and random weights would write little else.
DIGITS = Vocabulary(symbols=("\n", *"0123456789+-*=", ".", "?"), words=ARITHMETIC.words)


def digit_tokenizer(max_positions: int) -> PreTrainedTokenizerFast:
    """As `make_tokenizer`, with a token for each digit in place of one for each number."""
    return make_tokenizer(max_positions, DIGITS)
