"""Token sequences that share prefixes, packed into rows in which every shared token stands once.

A row holds a tree of tokens: each token has its depth as position and sees its ancestors and itself only, so
a model computes for every sequence exactly what it would for that sequence alone. A solution with its
labelled alternatives, or the many samples of one problem, cost a fraction of their tokens this way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class StepSequence:
    """A prompt and the steps after it. ends[k] is the index in tokens of the last token of step k."""

    tokens: tuple[int, ...]
    prompt_length: int
    ends: tuple[int, ...]


@dataclass
class Row:
    """A tree of n tokens.

    parents[i] is the index of the token before token i, -1 at a root; positions[i] its depth.
    paths[sequence] holds the index in this row of each token of that sequence.
    """

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    paths: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    def visible(self) -> NDArray[np.bool_]:
        """Shape (n, n): whether token i sees token j."""
        return ancestors(self.parents)


def ancestors(parents: Sequence[int]) -> NDArray[np.bool_]:
    """Shape (n, n): whether token j is token i or one of its ancestors. parents: as in a `Row`."""
    seen = np.eye(len(parents), dtype=bool)
    for i, parent in enumerate(parents):
        # Parents stand before their children, so the parent's line is complete already.
        if parent >= 0:
            seen[i] |= seen[parent]
    return seen


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading tokens a and b share."""
    n = min(len(a), len(b))
    return next((i for i in range(n) if a[i] != b[i]), n)


def pack(sequences: Sequence[Sequence[int]], max_tokens: int | None = None) -> list[Row]:
    """Rows that together hold every sequence once, each with its index in `sequences` as the key in `paths`.

    max_tokens: length of a row; only a single sequence that is longer than that makes a longer row.
    """
    rows: list[Row] = []
    previous: Sequence[int] = ()
    path = np.zeros(0, dtype=np.int64)
    # In lexicographic order the longest prefix that a sequence shares with any earlier one is shared with the one
    # just before it, so that one comparison for each sequence builds the whole tree.
    for index in sorted(range(len(sequences)), key=lambda i: (tuple(sequences[i]), i)):
        tokens = sequences[index]
        shared = common_prefix(previous, tokens)
        if not rows or (max_tokens is not None and len(rows[-1]) + len(tokens) - shared > max_tokens):
            rows.append(Row())
            shared = 0  # what stands in another row cannot be seen from this one
        row = rows[-1]
        first, new = len(row), len(tokens) - shared
        if new:
            # The first new token hangs on the last shared one, the others on the token before them.
            row.parents.extend([int(path[shared - 1]) if shared else -1, *range(first, first + new - 1)])
            row.positions.extend(range(shared, len(tokens)))
            row.tokens.extend(int(t) for t in tokens[shared:])
        path = np.concatenate([path[:shared], np.arange(first, first + new)])
        row.paths[index], previous = path, tokens
    return rows


def pack_steps(sequences: Sequence[StepSequence], max_tokens: int | None = None) -> list[Row]:
    """As `pack`, but a token at which one sequence's step ends and another's goes on stands once for each of them: what
    is read there is of the whole step."""
    ends = [frozenset(sequence.ends) for sequence in sequences]
    marked = [
        [2 * token + (i in of_sequence) for i, token in enumerate(sequence.tokens)]
        for sequence, of_sequence in zip(sequences, ends, strict=True)
    ]
    rows = pack(marked, max_tokens)
    for row in rows:
        row.tokens = [token // 2 for token in row.tokens]
    return rows


def collate(rows: Sequence[Row], pad: int = 0) -> dict[str, torch.Tensor]:
    """A batch: input_ids and position_ids (batch, n); attention_mask (batch, 1, n, n), added to attention's logits."""
    import torch

    shape = (len(rows), max(len(row) for row in rows))
    tokens, positions = np.full(shape, pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    # Padding sees itself, so that no row of the softmax is empty: that would be NaN, and spread.
    seen = np.broadcast_to(np.eye(shape[1], dtype=bool), (*shape, shape[1])).copy()
    for b, row in enumerate(rows):
        n = len(row)
        tokens[b, :n], positions[b, :n], seen[b, :n, :n] = row.tokens, row.positions, row.visible()
    bias = np.where(seen, np.float32(0), np.finfo(np.float32).min)
    return {
        "input_ids": torch.from_numpy(tokens),
        "position_ids": torch.from_numpy(positions),
        "attention_mask": torch.from_numpy(bias[:, None]),  # one mask for all heads
    }


def on_device_of(model: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Inputs of `collate` where the model is, the mask in the precision that its attention wants."""
    moved = {name: value.to(model.device) for name, value in inputs.items()}
    mask = moved["attention_mask"].to(model.dtype)
    moved["attention_mask"] = layer_masks(model.config, mask, moved["position_ids"])
    return moved


def layer_masks(config: PretrainedConfig, mask: Any, positions: torch.Tensor) -> Any:
    """The mask of a tree as the model's layers need it: transformers takes a mask of four dimensions as it is, and
    would let layers with a sliding window (Gemma 3, Mistral) see all of a long prefix.

    mask: (batch, 1, n, prefix + n), or what this function has made of it. positions: (batch, n), those of the last n
    columns; column i of the prefix stands at position i. Unchanged where no window is shorter than the sequences.
    """
    import torch

    text: Any = config.get_text_config()
    window, kinds = getattr(text, "sliding_window", None), set(getattr(text, "layer_types", None) or ())
    slides = not kinds or "sliding_attention" in kinds
    if window is None or not slides or isinstance(mask, dict) or int(positions.max()) < window:
        return mask
    prefix = torch.arange(mask.shape[-1] - positions.shape[-1], device=positions.device)
    columns = torch.cat([prefix.expand(len(positions), -1), positions], 1)  # (batch, prefix + n)
    distance = positions[:, None, :, None] - columns[:, None, None, :]
    near = mask.masked_fill(distance >= window, torch.finfo(mask.dtype).min)
    return {kind: near if kind == "sliding_attention" else mask for kind in kinds} or near


def batches(rows: Sequence[Sized], tokens: int) -> Iterator[list[int]]:
    """Indices of rows of similar lengths, at most `tokens` tokens with padding (a single row may be longer)."""
    batch: list[int] = []
    for index in sorted(range(len(rows)), key=lambda i: (len(rows[i]), i)):
        if batch and (len(batch) + 1) * len(rows[index]) > tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


# Length of a row of short sequences: attention is quadratic in it, sharing grows with it.
ROW_TOKENS = 192


def row_tokens(sequences: Sequence[StepSequence]) -> int:
    """Length of the rows for these sequences: room for two of the longest, so that they share their prompt too."""
    return max(ROW_TOKENS, 2 * max((len(s.tokens) for s in sequences), default=0))
