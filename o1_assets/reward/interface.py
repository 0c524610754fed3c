"""What search and policy training ask of reward models, whatever computes them (`Scorer`, or a test's own rule).

Prompts and completions are token ids, one completion for each prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tokens = Sequence[Sequence[int]]


class PrefixScorer(Protocol):
    """A process reward model."""

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[Floats]:
        """For each completion (steps, 3): P(negative), P(neutral), P(positive) of each whole step."""
        ...


class StepScorer(PrefixScorer, Protocol):
    """A process reward model that a search can come back to."""

    def with_kv_cache(self) -> PrefixScorer:
        """One that reads no prefix twice, for as long as it lives."""
        ...


class ValueScorer(PrefixScorer, Protocol):
    """A PRM together with a Q-value model."""

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        """For each completion, finished or not, the chance that a solution which continues it ends right."""
        ...


class ValueModels(Protocol):
    """A PRM and a Q-value model before a search."""

    def with_kv_cache(self, values: bool = False) -> ValueScorer: ...


class RewardModels(StepScorer, Protocol):
    """A PRM and an ORM."""

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        """For each completion the probability that its final answer is correct."""
        ...

    def score_both(self, prompts: Tokens, completions: Tokens) -> tuple[list[Floats], list[float]]:
        """Both at once, which shares work."""
        ...
