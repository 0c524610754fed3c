"""Scoring solutions with the reward models: what search, RL, selection and evaluation call.

All sequences of a call are packed by their shared prefixes, so that the samples of one problem share its
prompt and common steps, equal completions are computed once, and the PRM and the ORM share one generator pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from o1_assets.artifact import Cost
from o1_assets.flops import flops_score, non_embedding_parameters
from o1_assets.reward.predict import place_features, predict
from o1_assets.reward.tree import StepSequence, pack

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.incremental import TreeScorer
    from o1_assets.reward.model import RewardModel

BATCH_TOKENS = 2048
ROW_TOKENS = 192
"""Length of a row of short sequences: attention is quadratic in it, sharing grows with it."""

Tokens = Sequence[Sequence[int]]


def row_tokens(sequences: Sequence[StepSequence]) -> int:
    """Room for two of the longest, so that long solutions share their prompt too."""
    return max(ROW_TOKENS, 2 * max((len(s.tokens) for s in sequences), default=0))


class Scorer:
    """One PRM or ORM, or one of each, with the generator whose log-probabilities they read.

    tokens_scored counts tokens as computed: a shared prefix once, the generator's pass included.
    """

    def __init__(
        self,
        models: Sequence[RewardModel],
        generator: PreTrainedModel | None,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        self.models = list(models)
        self.generator = generator
        self.tokenizer = tokenizer
        self.tokens_scored = 0
        self._flops = 0.0
        self._sizes = [non_embedding_parameters(m.backbone) for m in self.models]
        self._generator_size = non_embedding_parameters(generator) if generator is not None else 0

    def score(self, prompts: Tokens, completions: Tokens) -> list[Any]:
        """By the only model loaded: as `step_probabilities` for a PRM, as `outcome_probabilities` for an ORM."""
        (model,) = self.models
        if model.classes == 3:
            return self.step_probabilities(prompts, completions)
        return self.outcome_probabilities(prompts, completions)

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[NDArray[np.float64]]:
        """For each completion (steps, 3): P(negative), P(neutral), P(positive) of each of `engine.steps`."""
        return self._classes(prompts, completions, [self._index(3)])[0]

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        """For each completion P(its answer is correct), read at its last step; 0 without any."""
        return _outcomes(self._classes(prompts, completions, [self._index(2)])[0])

    def score_both(
        self, prompts: Tokens, completions: Tokens
    ) -> tuple[list[NDArray[np.float64]], list[float]]:
        """`step_probabilities` and `outcome_probabilities` with one pass of the generator."""
        steps, outcomes = self._classes(prompts, completions, [self._index(3), self._index(2)])
        return steps, _outcomes(outcomes)

    def remembering(self, values: bool = False) -> TreeScorer:
        """It with a memory, for a search; what that computes is counted here. values: the model of two classes is
        asked about unfinished solutions too."""
        from o1_assets.reward.incremental import TreeScorer

        return TreeScorer(self, values)

    def cost(self) -> Cost:
        """Everything scored since the scorer was loaded."""
        return Cost(flops=self._flops, tokens_scored=self.tokens_scored)

    def model(self, classes: int) -> RewardModel:
        """The PRM (3 classes) or the ORM (2). Raises ValueError if it was not loaded."""
        return self.models[self._index(classes)]

    def _index(self, classes: int) -> int:
        for index, model in enumerate(self.models):
            if model.classes == classes:
                return index
        raise ValueError(f"no {'PRM' if classes == 3 else 'ORM'} was loaded")

    def _classes(
        self, prompts: Tokens, completions: Tokens, which: Sequence[int]
    ) -> list[list[NDArray[np.float64]]]:
        """For each chosen model and completion (steps, classes)."""
        sequences = [self.sequence(p, c) for p, c in zip(prompts, completions, strict=True)]
        rows = pack([s.tokens for s in sequences], row_tokens(sequences))
        models = [self.models[m] for m in which]
        tokens = sum(len(row) for row in rows)
        features = None
        if self.generator is not None and any(m.feature is not None for m in models):
            features = place_features(self.generator, rows, [sequences] * len(rows), BATCH_TOKENS)
            self.count(self._generator_size, tokens)
        found = predict(models, rows, features, BATCH_TOKENS)
        for m in which:
            self.count(self._sizes[m], tokens)
        scores = [[np.zeros((0, m.classes))] * len(sequences) for m in models]
        for r, row in enumerate(rows):
            for index, path in row.paths.items():
                ends = path[list(sequences[index].ends)]
                for m in range(len(models)):
                    scores[m][index] = found[m][r][ends]
        return scores

    def sequence(self, prompt: Sequence[int], completion: Sequence[int]) -> StepSequence:
        """Prompt and completion up to the last step's end, which is where everything is read."""
        from o1_assets.engine.steps import close_last, step_ends

        tokens, ends = close_last(completion, step_ends(completion, self.tokenizer), self.tokenizer)
        return StepSequence((*prompt, *tokens), len(prompt), tuple(len(prompt) + end for end in ends))

    def count(self, parameters: int, tokens: int) -> None:
        """`tokens` were read by a model of so many parameters."""
        self.tokens_scored += tokens
        self._flops += flops_score(parameters, tokens)


def load_scorer(reward_model: Path, generator: Path, orm: Path | None = None) -> Scorer:
    """A scorer with the reward model of a folder, and with an ORM beside it if one is given.

    The generator is opened only if a model reads its log-probabilities.
    """
    import torch

    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import load_reward_model

    gpu = torch.cuda.is_available()
    models = [
        load_reward_model(path, "auto" if gpu else "float32").to("cuda" if gpu else "cpu")
        for path in (reward_model, orm)
        if path is not None
    ]
    opened = None
    if any(model.feature is not None for model in models):
        opened = open_generator(generator)
    return Scorer(models, opened, load_tokenizer(reward_model))


def open_generator(path: Path) -> PreTrainedModel:
    """The generator for reading log-probabilities: in float32 on a CPU, in its own precision on a GPU."""
    import torch

    from o1_assets.engine.checkpoint import load_causal_lm

    gpu = torch.cuda.is_available()
    model: Any = load_causal_lm(path, "auto" if gpu else "float32", attn_implementation="sdpa")
    opened: PreTrainedModel = model.to("cuda" if gpu else "cpu").eval()
    return opened


def _outcomes(classes: Sequence[NDArray[np.float64]]) -> list[float]:
    return [float(c[-1, 1]) if len(c) else 0.0 for c in classes]
