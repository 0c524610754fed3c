"""Many solutions read at once: packed by shared prefixes, with the generator's log-probabilities, for any PRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.reward.aggregate import right_probabilities
from o1_assets.reward.config import RewardModelConfig
from o1_assets.reward.dataset import step_sequence
from o1_assets.reward.predict import place_features, predict
from o1_assets.reward.score import row_tokens
from o1_assets.reward.tree import Row, StepSequence, pack

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.model import RewardModel


@dataclass(frozen=True)
class Packed:
    """Made once, read by every PRM of an experiment. tokens: of all rows, what one reading costs."""

    sequences: Sequence[StepSequence]
    rows: Sequence[Row]
    features: Sequence[NDArray[np.float32]] | None
    batch_tokens: int

    @classmethod
    def of(
        cls,
        solutions: pl.DataFrame,
        questions: Mapping[str, str],
        tokenizer: PreTrainedTokenizerBase,
        generator: PreTrainedModel,
        config: RewardModelConfig,
    ) -> Packed:
        """solutions: problem_id, steps."""
        sequences = [
            step_sequence(tokenizer, config.prompt_template.replace("{question}", questions[problem]), steps)
            for problem, steps in solutions.select("problem_id", "steps").iter_rows()
        ]
        rows = pack([s.tokens for s in sequences], row_tokens(sequences))
        features = None
        if config.probability_feature:
            features = place_features(generator, rows, [sequences] * len(rows), config.score_tokens)
        return cls(sequences, rows, features, config.score_tokens)

    @property
    def tokens(self) -> int:
        return sum(len(row) for row in self.rows)

    def p_right(self, model: RewardModel) -> list[NDArray[np.float64]]:
        """For each solution (steps,): P(step is right)."""
        (found,) = predict([model], self.rows, self.features, self.batch_tokens)
        values = [np.zeros(0)] * len(self.sequences)
        for row, classes in zip(self.rows, found, strict=True):
            for index, path in row.paths.items():
                values[index] = right_probabilities(classes[path[list(self.sequences[index].ends)]])
        return values
