"""What a model has read once need not be read again: keys and values of token prefixes, each token kept once.

A tree of thoughts comes back to the same prefixes over and over. `PrefixTree` gives every token of every
prefix a slot, `KeyValuePool` holds the keys and values of the slots, and a batch that continues prefixes
gathers theirs into its `BufferCache` (vLLM's paged attention, arXiv:2309.06180, with pages of one token).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from o1_assets.engine.cache import BufferCache

if TYPE_CHECKING:
    from transformers import PreTrainedModel


Slots = NDArray[np.int64]


class PrefixTree:
    """Slots of token prefixes. Sequences that begin alike share the slots of what they share.

    A mark (0 by default) tells tokens apart that are equal but were read differently.
    """

    def __init__(self) -> None:
        self._next: dict[tuple[int, int, int], int] = {}

    def __len__(self) -> int:
        return len(self._next)

    def known(self, tokens: Sequence[int], marks: Sequence[int] | None = None) -> list[int]:
        """Slots of the longest beginning of `tokens` that is in the tree."""
        found: list[int] = []
        at = -1
        for i, token in enumerate(tokens):
            slot = self._next.get((at, token, marks[i] if marks else 0))
            if slot is None:
                break
            found.append(slot)
            at = slot
        return found

    def add(self, after: int, token: int, mark: int = 0) -> int:
        """The slot of a token after that of `after` (-1: at the beginning), new if need be."""
        return self._next.setdefault((after, token, mark), len(self._next))

    def extend(self, tokens: Sequence[int], marks: Sequence[int] | None = None) -> Slots:
        """Slots of all of `tokens`, those of what is new appended."""
        slots: list[int] = []
        at = -1
        for i, token in enumerate(tokens):
            at = self.add(at, token, marks[i] if marks else 0)
            slots.append(at)
        return np.array(slots, dtype=np.int64)


class KeyValuePool:
    """Keys and values of every slot and layer of one model, (slots, heads, head_dim) each, grown as needed."""

    def __init__(self, model: PreTrainedModel) -> None:
        config = model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        empty = torch.empty(0, heads, width, dtype=model.dtype, device=model.device)
        self._keys = [empty] * config.num_hidden_layers
        self._values = [empty] * config.num_hidden_layers

    def reserve(self, slots: int) -> None:
        """Room for `slots` slots. Not to be called while a batch is computed."""
        for parts in (self._keys, self._values):
            for i, part in enumerate(parts):
                if len(part) < slots:
                    parts[i] = part.new_empty(max(slots, 2 * len(part)), *part.shape[1:])
                    parts[i][: len(part)] = part

    def fill(self, cache: BufferCache, slots: torch.Tensor) -> None:
        """Begins every row of an empty cache with the keys and values of slots, (rows, width)."""
        for layer, keys, values in zip(cache.buffers, self._keys, self._values, strict=True):
            layer.update(keys[slots].transpose(1, 2), values[slots].transpose(1, 2))

    def put(self, slots: Sequence[int], keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
        """Takes over the keys and values of slots, (slots, heads, head_dim) for each layer."""
        index = torch.tensor(slots, dtype=torch.long)
        for mine, given in ((self._keys, keys), (self._values, values)):
            for part, new in zip(mine, given, strict=True):
                part[index] = new.to(part.dtype)  # autocast computes in another one than the weights have


def padded(paths: Sequence[Slots], left: bool) -> torch.Tensor:
    """(rows, longest), filled up with slot 0 on the left or on the right; what is filled has to be masked."""
    width = max((len(path) for path in paths), default=0)
    result = np.zeros((len(paths), width), dtype=np.int64)
    for row, path in zip(result, paths, strict=True):
        if left:
            row[width - len(path) :] = path
        else:
            row[: len(path)] = path
    return torch.from_numpy(result)
