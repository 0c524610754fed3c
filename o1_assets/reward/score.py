"""Scoring solutions with the reward models: what search, RL, selection and evaluation call.

All sequences of a call are packed by their shared prefixes, so that the samples of one problem share its
prompt and common steps, equal completions are computed once, and the PRM and the ORM share one generator pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost
from o1_assets.core.flops import flops_score, non_embedding_parameters
from o1_assets.reward.aggregate import right_probabilities
from o1_assets.reward.config import RewardModelConfig
from o1_assets.reward.dataset import step_sequence
from o1_assets.reward.read import place_features, predict
from o1_assets.reward.tree import BATCH_TOKENS, Row, StepSequence, Tokens, pack, row_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.incremental import TreeScorer
    from o1_assets.reward.model import RewardModel


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

    def with_kv_cache(self, values: bool = False) -> TreeScorer:
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


# Many solutions read at once: packed by shared prefixes, with the generator's log-probabilities, for any PRM.


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
            step_sequence(tokenizer, config.prompt.render(questions[problem]), steps)
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


# Many reward models read the same solutions: packed once, and the generator's log-probabilities computed once.

CHUNK = 2000
"""Solutions at a time, for memory; in the order of problems, so that samples share their prefixes."""


def load_many(folders: Sequence[Path], generator: Path) -> Scorer:
    """A scorer that holds them all; it counts, and `read_all` reads with it."""
    first, *others = (load_scorer(folder, generator) for folder in folders)
    models = [first.models[0], *(scorer.models[0] for scorer in others)]
    reading = next((s.generator for s in (first, *others) if s.generator is not None), None)
    return Scorer(models, reading, first.tokenizer)


def read_all(
    scorer: Scorer, prompts: Tokens, completions: Tokens, progress: Callable[[str], None] = lambda line: None
) -> tuple[list[list[NDArray[np.float64]]], Cost]:
    """Of each model, for each completion (steps, classes); and what it cost."""
    before = scorer.cost()
    found: list[list[NDArray[np.float64]]] = [[] for _ in scorer.models]
    for start in range(0, len(prompts), CHUNK):
        part = slice(start, start + CHUNK)
        for of_model, read in zip(found, _read(scorer, prompts[part], completions[part]), strict=True):
            of_model += read
        progress(f"{len(scorer.models)} reward models have read {len(found[0])} of {len(prompts)} solutions")
    after = scorer.cost()
    return found, Cost(after.flops - before.flops, tokens_scored=after.tokens_scored - before.tokens_scored)


def _read(scorer: Scorer, prompts: Tokens, completions: Tokens) -> list[list[NDArray[np.float64]]]:
    sequences = [scorer.sequence(p, c) for p, c in zip(prompts, completions, strict=True)]
    rows = pack([s.tokens for s in sequences], row_tokens(sequences))
    tokens = sum(len(row) for row in rows)
    features = None
    if scorer.generator is not None and any(model.feature is not None for model in scorer.models):
        features = place_features(scorer.generator, rows, [sequences] * len(rows), BATCH_TOKENS)
        scorer.count(non_embedding_parameters(scorer.generator), tokens)
    found = []
    for model in scorer.models:
        (of_rows,) = predict([model], rows, features, BATCH_TOKENS)
        scorer.count(non_embedding_parameters(model.backbone), tokens)
        of_solutions = [np.zeros((0, model.classes))] * len(sequences)
        for row, classes in zip(rows, of_rows, strict=True):
            for index, path in row.paths.items():
                of_solutions[index] = classes[path[list(sequences[index].ends)]]
        found.append(of_solutions)
    return found
