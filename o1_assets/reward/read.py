"""Class probabilities of a reward model for every token of packed rows, with the generator's pass it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from o1_assets.core.parallel import map_batches
from o1_assets.reward.tree import Row, StepSequence, batches, collate, on_device_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from o1_assets.reward.model import RewardModel


def place_features(
    generator: PreTrainedModel, rows: Sequence[Row], sequences: Sequence[Sequence[StepSequence]], tokens: int
) -> list[NDArray[np.float32]]:
    """For each row, shape (n,): the generator's step minimum at each step's end, NaN elsewhere.

    sequences[r] are those that rows[r].paths refers to; tokens: size of a batch.
    """
    placed: list[NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)] * len(rows)

    def fill(batch: Sequence[int]) -> None:
        for index, logprobs in zip(batch, token_logprobs(generator, [rows[i] for i in batch]), strict=True):
            placed[index] = place(rows[index], logprobs, sequences[index])

    map_batches(fill, list(batches(rows, tokens)))
    return placed


def predict(
    models: Sequence[RewardModel],
    rows: Sequence[Row],
    features: Sequence[NDArray[np.float32]] | None,
    tokens: int,
) -> list[list[NDArray[np.float64]]]:
    """For each model and row: class probabilities, shape (n, classes), of every token."""
    import torch

    found: list[list[NDArray[np.float64]]] = [[np.zeros((0, 0))] * len(rows) for _ in models]

    @torch.inference_mode()
    def fill(batch: Sequence[int]) -> None:
        inputs = collate([rows[i] for i in batch])
        if features is not None:
            inputs["min_logprob"] = stack([features[i] for i in batch], np.nan)
        for m, model in enumerate(models):
            logits = model(**on_device_of(model.backbone, inputs))["logits"]
            probabilities = logits.double().softmax(-1).cpu().numpy()
            for b, index in enumerate(batch):
                found[m][index] = probabilities[b, : len(rows[index])]

    map_batches(fill, list(batches(rows, tokens)))
    return found


def stack(values: Sequence[NDArray[np.generic]], fill: float) -> Tensor:
    """(batch, longest), filled up on the right."""
    import torch

    padded = np.full((len(values), max(len(v) for v in values)), fill, dtype=values[0].dtype)
    for b, value in enumerate(values):
        padded[b, : len(value)] = value
    return torch.from_numpy(padded)


def token_logprobs(generator: PreTrainedModel, rows: Sequence[Row]) -> list[NDArray[np.float64]]:
    """For each row, shape (n,): log-probability of each token given its ancestors; 0 at a root. One batch."""
    import torch

    batch = collate(rows)
    with torch.inference_mode():
        logits = generator(**on_device_of(generator, batch), use_cache=False).logits.float().cpu()
        total = logits.logsumexp(-1).numpy()
    found = []
    for b, row in enumerate(rows):
        parents = np.asarray(row.parents)
        at = np.maximum(parents, 0)
        logprobs = logits[b].numpy()[at, row.tokens] - total[b, at]
        found.append(np.where(parents < 0, 0.0, logprobs.astype(np.float64)))
    return found


def step_minimum(
    logprobs: NDArray[np.float64], path: NDArray[np.int64], sequence: StepSequence
) -> NDArray[np.float64]:
    """Shape (steps,): the least of the log-probabilities of each step's tokens.

    logprobs: (n,) of the row that holds the sequence; path: index in that row of each of its tokens.
    """
    if not sequence.ends:
        return np.zeros(0)
    # A token may end two steps at once (".\n\n" of large vocabularies): the second step is that token.
    after = (
        min(end + 1, following) for end, following in zip(sequence.ends, sequence.ends[1:], strict=False)
    )
    starts = [sequence.prompt_length, *after]
    return np.minimum.reduceat(logprobs[path[: sequence.ends[-1] + 1]], starts)


def place(row: Row, logprobs: NDArray[np.float64], sequences: Sequence[StepSequence]) -> NDArray[np.float32]:
    """Shape (n,): the step minimum at each step's last token, NaN elsewhere: what a RewardModel reads."""
    placed = np.full(len(row), np.nan, dtype=np.float32)
    for index, path in row.paths.items():
        sequence = sequences[index]
        placed[path[list(sequence.ends)]] = step_minimum(logprobs, path, sequence)
    return placed
