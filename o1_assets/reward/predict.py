"""Class probabilities of a reward model for every token of packed rows, with the generator's pass it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from o1_assets.core.parallel import map_batches
from o1_assets.reward.features import place, token_logprobs
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
