"""What the generator thought of each step: the log-probability of its least likely token.

A small verifier cannot check sums, but the generator is rarely sure of a slip. Off for larger models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from o1_assets.reward.tree import Row, StepSequence, collate, on_device_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


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
