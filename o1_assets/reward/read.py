"""Reading steps with reward models: pack what shares prefixes, compute, pick the values where steps end.

Everything that scores goes through here (search, RL, selection, evaluation, the experiments), so that all of it obeys
the same batch limit, shares one pass of the generator, and counts the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost
from o1_assets.core.flops import flops_score, non_embedding_parameters
from o1_assets.core.parallel import map_batches
from o1_assets.reward.config import SCORE_TOKENS
from o1_assets.reward.interface import Floats
from o1_assets.reward.tree import (
    Row,
    StepSequence,
    batches,
    collate,
    on_device_of,
    pack,
    pack_steps,
    row_tokens,
)

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.model import RewardModel


@dataclass(frozen=True)
class PackedSequences:
    """Sequences in rows of shared prefixes, made once and read by any number of models.

    features: for each row (n,), what a model with the probability feature reads; None without the generator.
    """

    sequences: Sequence[StepSequence]
    rows: Sequence[Row]
    features: Sequence[NDArray[np.float32]] | None

    @property
    def tokens(self) -> int:
        """Of all rows: what one reading costs."""
        return sum(len(row) for row in self.rows)

    def at_step_ends(self, values: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """For each sequence (steps, ...), from values (n, ...) for each token of each row."""
        picked: list[NDArray[Any]] = [np.zeros(0)] * len(self.sequences)
        for row, of_tokens in zip(self.rows, values, strict=True):
            for index, path in row.paths.items():
                # path: where the sequence's tokens stand in the row; ends: which of its tokens end a step.
                picked[index] = of_tokens[path[list(self.sequences[index].ends)]]
        return picked


def pack_sequences(
    sequences: Sequence[StepSequence], generator: PreTrainedModel | None, batch_tokens: int
) -> PackedSequences:
    """generator: the one whose log-probabilities the models read; None if they read none."""
    rows = pack_steps(sequences, row_tokens(sequences))
    features = None
    if generator is not None:
        features = place_features(generator, rows, [sequences] * len(rows), batch_tokens)
    return PackedSequences(sequences, rows, features)


def read_steps(models: Sequence[RewardModel], packed: PackedSequences) -> list[list[Floats]]:
    """For each model and sequence the class probabilities at the steps' ends, (steps, classes)."""
    of_tokens = predict(models, packed.rows, packed.features, batch_limit(models))
    return [packed.at_step_ends(values) for values in of_tokens]


def batch_limit(models: Sequence[RewardModel]) -> int:
    """Tokens a batch for models that read together: the smallest limit holds for all of them."""
    return min((model.score_tokens for model in models), default=SCORE_TOKENS)


def reading_cost(model: PreTrainedModel, tokens: int) -> Cost:
    """What it costs to read `tokens` tokens with a model."""
    return Cost(flops_score(non_embedding_parameters(model), tokens), tokens_scored=tokens)


class StepReader:
    """Reward models, the generator whose log-probabilities they read, and what both have read so far.

    Tokens are counted as computed: a shared prefix once, the generator's pass included.
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
        self.batch_tokens = batch_limit(self.models)
        self._cost = Cost()

    @property
    def tokens_scored(self) -> int:
        return self._cost.tokens_scored

    def cost(self) -> Cost:
        """Everything read since the models were opened."""
        return self._cost

    def cost_since(self, before: Cost) -> Cost:
        """What was read since `cost()` was `before`."""
        now = self._cost
        return Cost(now.flops - before.flops, tokens_scored=now.tokens_scored - before.tokens_scored)

    def count(self, model: PreTrainedModel, tokens: int) -> None:
        """`tokens` tokens were read by a model."""
        self._cost += reading_cost(model, tokens)

    def model(self, classes: int) -> RewardModel:
        """The PRM (3 classes) or the ORM (2). Raises ValueError if it was not loaded."""
        for model in self.models:
            if model.classes == classes:
                return model
        raise ValueError(f"no {'PRM' if classes == 3 else 'ORM'} was loaded")

    def sequence(self, prompt: Sequence[int], completion: Sequence[int]) -> StepSequence:
        """Prompt and completion up to the end of the last step: nothing is read after it."""
        from o1_assets.engine.steps import close_last, step_ends

        tokens, ends = close_last(completion, step_ends(completion, self.tokenizer), self.tokenizer)
        return StepSequence((*prompt, *tokens), len(prompt), tuple(len(prompt) + end for end in ends))

    def read(self, sequences: Sequence[StepSequence], models: Sequence[RewardModel]) -> list[list[Floats]]:
        """For each model and sequence (steps, classes), with one pass of the generator for all models."""
        reads_generator = any(model.feature is not None for model in models)
        generator = self.generator if reads_generator else None
        packed = pack_sequences(sequences, generator, self.batch_tokens)
        if generator is not None:
            self.count(generator, packed.tokens)
        for model in models:
            self.count(model.backbone, packed.tokens)
        return read_steps(models, packed)


def predict(
    models: Sequence[RewardModel],
    rows: Sequence[Row],
    features: Sequence[NDArray[np.float32]] | None,
    batch_tokens: int,
) -> list[list[Floats]]:
    """For each model and row: class probabilities, shape (n, classes), of every token."""
    import torch

    result: list[list[Floats]] = [[np.zeros((0, 0))] * len(rows) for _ in models]

    @torch.inference_mode()
    def fill(batch: Sequence[int]) -> None:
        inputs = collate([rows[i] for i in batch])
        if features is not None:
            inputs["min_logprob"] = stack([features[i] for i in batch], np.nan)
        for m, model in enumerate(models):
            logits = model(**on_device_of(model.backbone, inputs))["logits"]  # (batch, longest, classes)
            # In double precision: a product over many steps is compared with others in its last digits.
            probabilities = logits.double().softmax(-1).cpu().numpy()
            for b, index in enumerate(batch):
                result[m][index] = probabilities[b, : len(rows[index])]

    map_batches(fill, list(batches(rows, batch_tokens)))
    return result


# What the generator thought of each step: the log-probability of its least likely token. A small verifier cannot check
# sums, but the generator is rarely sure of a slip. Off for larger models.


def place_features(
    generator: PreTrainedModel,
    rows: Sequence[Row],
    sequences: Sequence[Sequence[StepSequence]],
    batch_tokens: int,
) -> list[NDArray[np.float32]]:
    """For each row, shape (n,): the generator's step minimum at each step's last token, NaN elsewhere.

    sequences[r]: what the keys of rows[r].paths are indices of.
    """
    placed: list[NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)] * len(rows)

    def fill(batch: Sequence[int]) -> None:
        for index, logprobs in zip(batch, token_logprobs(generator, [rows[i] for i in batch]), strict=True):
            placed[index] = _place(rows[index], logprobs, sequences[index])

    map_batches(fill, list(batches(rows, batch_tokens)))
    return placed


def _place(row: Row, logprobs: Floats, sequences: Sequence[StepSequence]) -> NDArray[np.float32]:
    placed = np.full(len(row), np.nan, dtype=np.float32)
    for index, path in row.paths.items():
        sequence = sequences[index]
        # One place for each step: its last token, where the model is read too.
        placed[path[list(sequence.ends)]] = step_minimum(logprobs, path, sequence)
    return placed


def token_logprobs(generator: PreTrainedModel, rows: Sequence[Row]) -> list[Floats]:
    """For each row, shape (n,): log-probability of each token given its ancestors; 0 at a root. One batch."""
    import torch

    batch = collate(rows)
    with torch.inference_mode():
        logits = generator(**on_device_of(generator, batch), use_cache=False).logits.float().cpu()
        normaliser = logits.logsumexp(-1).numpy()  # (batch, longest)
    result = []
    for b, row in enumerate(rows):
        # A token is predicted at its parent, which is not the token before it where the tree branches.
        parents = np.asarray(row.parents)
        at = np.maximum(parents, 0)
        logprobs = logits[b].numpy()[at, row.tokens] - normaliser[b, at]
        result.append(np.where(parents < 0, 0.0, logprobs.astype(np.float64)))
    return result


def sequence_logprobs(
    generator: PreTrainedModel, sequences: Sequence[StepSequence], batch_tokens: int = SCORE_TOKENS
) -> tuple[list[Floats], int]:
    """For each sequence the log-probability of every token after its prompt; and how many tokens were read for it."""
    rows = pack([s.tokens for s in sequences], row_tokens(sequences))
    result: list[Floats] = [np.zeros(0)] * len(sequences)

    def fill(batch: Sequence[int]) -> None:
        for row, logprobs in zip(batch, token_logprobs(generator, [rows[i] for i in batch]), strict=True):
            for index, path in rows[row].paths.items():
                result[index] = logprobs[path[sequences[index].prompt_length :]]

    map_batches(fill, list(batches(rows, batch_tokens)))
    return result, sum(map(len, rows))


def step_minimum(logprobs: Floats, path: NDArray[np.int64], sequence: StepSequence) -> Floats:
    """Shape (steps,): the smallest log-probability among each step's tokens.

    logprobs: (n,) of the row that holds the sequence; path: index in that row of each of its tokens.
    """
    if not sequence.ends:
        return np.zeros(0)
    # A token may end two steps at once (".\n\n" of large vocabularies): the second step is that token.
    after = (
        min(end + 1, following) for end, following in zip(sequence.ends, sequence.ends[1:], strict=False)
    )
    starts = [sequence.prompt_length, *after]  # the first token of each step
    return np.minimum.reduceat(logprobs[path[: sequence.ends[-1] + 1]], starts)


def stack(values: Sequence[NDArray[np.generic]], fill: float) -> Tensor:
    """Shape (batch, longest), filled up on the right."""
    import torch

    padded = np.full((len(values), max(len(v) for v in values)), fill, dtype=values[0].dtype)
    for b, value in enumerate(values):
        padded[b, : len(value)] = value
    return torch.from_numpy(padded)
