from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


Tokens = Sequence[Sequence[int]]


class PrefixScorer(Protocol):
    """A process reward model. Prompts and completions are token ids."""

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[Floats]:
        """For each completion (steps, 3): P(negative), P(neutral), P(positive) of each whole step."""
        ...


class StepScorer(PrefixScorer, Protocol):
    """One that a search can ask."""

    def with_kv_cache(self) -> PrefixScorer:
        """One that reads no prefix twice, as long as it is kept."""
        ...


class RewardModels(StepScorer, Protocol):
    """A PRM and an ORM."""

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        """For each completion the probability that its final answer is correct."""
        ...

    def score_both(self, prompts: Tokens, completions: Tokens) -> tuple[list[Floats], list[float]]:
        """Both at once, which shares work."""
        ...
