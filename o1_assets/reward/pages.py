"""Pages of graded homework as trees of marked tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from o1_assets.engine.steps import separator
from o1_assets.reward.aggregate import NEGATIVE, POSITIVE
from o1_assets.reward.dataset import IGNORED
from o1_assets.reward.homework import Marked, Page
from o1_assets.reward.tree import Row, StepSequence, pack

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class MarkedPage:
    """A page as one tree of n tokens.

    steps, symbols: the class of each token (n,), IGNORED where there is none; steps at the last token of each step,
    symbols at all others of a step. edges (m, 2): every token up to where a pupil goes wrong, after the one before it:
    what the teacher would have written too.
    """

    row: Row
    steps: NDArray[np.int64]
    symbols: NDArray[np.int64]
    edges: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)


class PageMarker:
    """Turns pages into trees of tokens. Most steps occur on many pages, and each is encoded once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.end = separator(tokenizer)
        self._known: dict[str, tuple[int, ...]] = {}

    def mark(self, page: Page) -> MarkedPage:
        """The page as a tree in which what pupils share stands once, with the marks of its tokens."""
        sequences = [self._sequence(page.question, pupil.steps) for pupil in page.pupils]
        (row,) = pack([sequence.tokens for sequence in sequences])
        steps = np.full(len(row), IGNORED, dtype=np.int64)
        symbols = np.full(len(row), IGNORED, dtype=np.int64)
        edges: set[tuple[int, int]] = set()
        for index, (pupil, sequence) in enumerate(zip(page.pupils, sequences, strict=True)):
            path = row.paths[index].tolist()
            first_wrong = self._first_wrong(pupil, sequence)
            for place in range(sequence.prompt_length, len(path)):
                symbols[path[place]] = POSITIVE if place < first_wrong else NEGATIVE
                if place < first_wrong:
                    edges.add((path[place - 1], path[place]))
            for end, mark in zip(sequence.ends, pupil.marks, strict=True):
                steps[path[end]] = mark
        symbols[steps != IGNORED] = IGNORED
        return MarkedPage(row, steps, symbols, np.array(sorted(edges), dtype=np.int64).reshape(-1, 2))

    def _sequence(self, question: str, steps: Sequence[str]) -> StepSequence:
        tokens = list(self._encode(question + "\n"))
        prompt_length, ends = len(tokens), []
        for step in steps:
            tokens.extend(self._encode(step + self.end))
            ends.append(len(tokens) - 1)
        return StepSequence(tuple(tokens), prompt_length, tuple(ends))

    def _encode(self, text: str) -> tuple[int, ...]:
        if text not in self._known:
            self._known[text] = tuple(self.tokenizer.encode(text, add_special_tokens=False))
        return self._known[text]

    def _first_wrong(self, pupil: Marked, sequence: StepSequence) -> int:
        """Index of the first token that the teacher would not have written; the end if they would have all."""
        if pupil.marks[-1] != NEGATIVE:
            return len(sequence.tokens)
        end = sequence.ends[-1]
        place = sequence.ends[-2] + 1 if len(sequence.ends) > 1 else sequence.prompt_length
        read = 0
        while place < end:
            read += len(cast(str, self.tokenizer.convert_ids_to_tokens(sequence.tokens[place])))
            if read > pupil.agreed:
                break
            place += 1
        return place
