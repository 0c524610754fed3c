"""Samples that have begun alike are one row of the batch until they part.

A policy that is sure of itself writes the same chain again and again: of 1,500 chains for sixteen questions by nano's
baby-o1 some 150 are different. Each sample still draws from its own random stream, so the samples are those of a batch
that computes all of them, up to the last bits of floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from o1_assets.core.engine import Sample, SamplingParams
from o1_assets.core.seeds import uniforms
from o1_assets.engine.kv_cache import BufferCache

# Share of a batch's rows that has to be of no use before they are dropped: dropping copies the cache of the others.
COMPACT_AT = 0.2

# (ids, mask, positions, cache) -> logits (rows, vocabulary) after one more token a row.
Next = Callable[[Tensor, Tensor | None, Tensor, BufferCache], Tensor]


@dataclass
class Rows:
    """What is computed: one row for each distinct text so far. logits: (rows, vocabulary) after it; mask: (rows,
    columns) or None if nothing is padded; positions: (rows,) of the next token."""

    cache: BufferCache
    logits: Tensor
    mask: Tensor | None
    positions: Tensor

    def go_on(self, row: Tensor, chosen: Tensor, compute: Next) -> Tensor:
        """One more token for each sample: row (samples,) is the text so far, chosen (samples,) what follows it.

        Returns the new row of each sample.
        """
        vocabulary, device = self.logits.shape[1], self.positions.device
        followed, new_row = torch.unique(row * vocabulary + chosen, return_inverse=True)
        parents, ids = followed // vocabulary, followed % vocabulary
        rows = len(self.logits)
        if len(parents) == len(parents.unique()) and len(parents) > (1 - COMPACT_AT) * rows:
            # Nothing parts, and few rows are of no use: these are computed on.
            new_row = parents[new_row]
            ids = ids.new_zeros(rows).index_put_((parents,), ids)
        else:
            parents = parents.to(device)
            self.cache.select(parents)
            self.positions = self.positions[parents]
            self.mask = None if self.mask is None else self.mask[parents]
        if self.mask is not None:
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.logits = compute(ids.to(device), self.mask, self.positions, self.cache)
        self.positions = self.positions + 1
        return new_row


@torch.inference_mode()
def sample_shared(
    rows: Rows,
    row: Tensor,
    compute: Next,
    ends: Tensor,
    params: SamplingParams,
    seeds: Sequence[int],
    samples: Sequence[Sample],
) -> None:
    """Fills `samples` in place. row: (samples,) which of `rows` has each one's prompt. ends: (vocabulary,) whether a
    token ends a sample."""
    count = len(samples)
    tokens = torch.zeros(count, params.max_tokens, dtype=torch.long)
    logprobs = torch.zeros(count, params.max_tokens)
    lengths = torch.tensor([params.limit(i) for i in range(count)])
    finished = torch.zeros(count, dtype=torch.bool)
    # One entry for each sample that goes on.
    owners, streams = torch.arange(count), np.array([seed & (2**64 - 1) for seed in seeds], dtype=np.uint64)
    for position in range(params.max_tokens):
        chosen, likely = draw(rows.logits, params.temperature, uniforms(streams, position), row)
        tokens[owners, position], logprobs[owners, position] = chosen, likely
        ended = ends[chosen]
        lengths[owners[ended]], finished[owners[ended]] = position + 1, True
        going = torch.nonzero(~ended & (lengths[owners] > position + 1)).squeeze(1)
        if not len(going):
            break
        owners, streams = owners[going], streams[going.numpy()]
        row = rows.go_on(row[going], chosen[going], compute)
    of_samples = zip(tokens.tolist(), logprobs.tolist(), lengths.tolist(), finished.tolist(), strict=True)
    for sample, (ids, likelihoods, length, whole) in zip(samples, of_samples, strict=True):
        sample.token_ids, sample.logprobs, sample.finished = ids[:length], likelihoods[:length], whole


def draw(
    logits: Tensor,
    temperature: float,
    uniform: np.ndarray,
    row: Tensor | None = None,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A token for each sample by inverse CDF (or the best one), and its log-probability at temperature 1.

    logits: (rows, vocabulary). uniform: (samples,), in [0, 1). row: (samples,), the row that each sample follows; None
    where each has its own. allowed: the logits, with -inf for the tokens that are not to be drawn. The log-probability
    is the model's own.
    """
    allowed = logits if allowed is None else allowed
    normaliser = logits.logsumexp(dim=1)
    if temperature == 0:
        chosen = allowed.argmax(dim=1)
        chosen = chosen if row is None else chosen[row]
    else:
        # In double precision: in single, the sum over a large vocabulary loses tokens of small probability. The number
        # is scaled by the sum as it came out, instead of 1.
        cumulative = torch.softmax(allowed / temperature, dim=1, dtype=torch.float64).cumsum(dim=1)
        cumulative = cumulative if row is None else cumulative[row]
        target = torch.from_numpy(uniform)[:, None] * cumulative[:, -1:]
        chosen = torch.searchsorted(cumulative, target, right=True).squeeze(1).clamp(max=logits.shape[1] - 1)
    if row is not None:
        return chosen, logits[row, chosen] - normaliser[row]
    return chosen, logits.gather(1, chosen[:, None]).squeeze(1) - normaliser
