"""Worked examples for a prompt: those of the train problems that are most similar to a question, or any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

from o1_assets.core.seeds import derive_seed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Example:
    question: str
    solution: str


class Examples:
    """Searched by BM25 over tokens and pairs of neighbours: an operator with its operand says more than either."""

    def __init__(self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase) -> None:
        import bm25s

        self._examples, self._tokenizer = examples, tokenizer
        self._index = bm25s.BM25()
        self._index.index([self._terms(example.question) for example in examples], show_progress=False)

    def similar(self, question: str, count: int) -> list[Example]:
        """The most similar last, next to the question (Liu et al., arXiv:2101.06804, section 2.3)."""
        known = [term for term in self._terms(question) if term in self._index.vocab_dict]
        if not known:
            return list(self._examples[:count])
        scores = self._index.get_scores(known)
        # Sorted by hand: equal scores are many, and their order has to be the same everywhere.
        best = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count]
        return [self._examples[i] for i in reversed(best)]

    def any_of(self, count: int, seed: int, problem_id: str) -> list[Example]:
        return Random(derive_seed(seed, problem_id)).sample(
            list(self._examples), min(count, len(self._examples))
        )

    def _terms(self, question: str) -> list[str]:
        tokens = [str(i) for i in self._tokenizer.encode(question, add_special_tokens=False)]
        return tokens + [f"{a} {b}" for a, b in pairwise(tokens)]
