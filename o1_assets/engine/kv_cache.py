"""Keys and values: of the batch that is being computed, and of prefixes that were read before.

`BufferCache` is the cache of one batch, in buffers that are allocated once. A tree of thoughts comes back to the same
prefixes over and over, so what a model has read once is kept: `PrefixTree` gives every token of every prefix a slot,
`KeyValuePool` holds the keys and values of the slots, and a batch that continues prefixes gathers theirs into its
`BufferCache` (vLLM's paged attention, arXiv:2309.06180, with pages of one token).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.cache_utils import Cache, CacheLayerMixin

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

Slots = NDArray[np.int64]


def cache_shape(config: PretrainedConfig) -> tuple[int, int, int]:
    """Layers, heads of keys and values, and width of a head: what a token's cache entry is made of."""
    text: Any = config.get_text_config()
    # Models without grouped-query attention leave the first out, older configurations the second.
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return text.num_hidden_layers, heads, width


class BufferLayer(CacheLayerMixin):
    """Keys and values of one layer, buffers of shape (rows, heads, capacity, head_dim).

    transformers' DynamicLayer copies the whole cache for every token; its StaticLayer attends over the whole
    capacity and cannot drop rows. This layer does neither.
    """

    is_sliding = False

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.length = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        rows, heads, _, _ = key_states.shape
        self.keys = key_states.new_empty(rows, heads, self.capacity, key_states.shape[-1])
        self.values = value_states.new_empty(rows, heads, self.capacity, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (rows, heads, new, head_dim); returns views of everything so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        end = self.length + key_states.shape[-2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def select(self, rows: torch.Tensor) -> None:
        """Keep (or repeat) the given rows, in the given order."""
        assert self.keys is not None and self.values is not None
        self.keys = self._selected(self.keys, rows)
        self.values = self._selected(self.values, rows)

    def _selected(self, buffer: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        # Only what is filled is copied; the rest of the capacity is left uninitialised.
        selected = buffer.new_empty(len(rows), *buffer.shape[1:])
        torch.index_select(buffer[:, :, : self.length], 0, rows, out=selected[:, :, : self.length])
        return selected

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return self.capacity


class BufferCache(Cache):
    """One BufferLayer for each decoder layer of a model with plain attention."""

    def __init__(self, config: PretrainedConfig, capacity: int) -> None:
        text = config.get_text_config()
        self.buffers = [BufferLayer(capacity) for _ in range(text.num_hidden_layers)]
        super().__init__(layers=list(self.buffers))

    def room(
        self, rows: int, heads: int, width: int, new: int
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """For each layer views (rows, heads, columns, width) of everything so far and of `new` columns to be filled."""
        keys, values = [], []
        for layer in self.buffers:
            if not layer.is_initialized:
                layer.lazy_initialization(*[torch.empty(rows, heads, 0, width)] * 2)
            assert layer.keys is not None and layer.values is not None
            layer.length += new
            keys.append(layer.keys[:, :, : layer.length])
            values.append(layer.values[:, :, : layer.length])
        return keys, values

    def select(self, rows: torch.Tensor) -> None:
        for layer in self.buffers:
            layer.select(rows)

    def at(self, rows: torch.Tensor, columns: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Keys and values of entries (rows[i], columns[i]), (entries, heads, head_dim) for each layer."""
        keys, values = [], []
        for layer in self.buffers:
            assert layer.keys is not None and layer.values is not None
            keys.append(layer.keys[rows, :, columns])
            values.append(layer.values[rows, :, columns])
        return keys, values


class PrefixTree:
    """A slot, a running number, for every token of every prefix; sequences that begin alike share slots.

    A mark (0 by default) tells tokens apart that are equal but were read differently.
    """

    def __init__(self) -> None:
        # (slot before, token, mark) -> slot: a trie as one flat dictionary.
        self._next: dict[tuple[int, int, int], int] = {}

    def __len__(self) -> int:
        return len(self._next)

    def known(self, tokens: Sequence[int], marks: Sequence[int] | None = None) -> list[int]:
        """Slots of the longest prefix of `tokens` that is in the tree."""
        slots: list[int] = []
        at = -1
        for i, token in enumerate(tokens):
            slot = self._next.get((at, token, marks[i] if marks else 0))
            if slot is None:
                break
            slots.append(slot)
            at = slot
        return slots

    def add(self, after: int, token: int, mark: int = 0) -> int:
        """The slot of a token after slot `after` (-1: at the beginning); a new one if there is none yet."""
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
        layers, heads, width = cache_shape(model.config)
        empty = torch.empty(0, heads, width, dtype=model.dtype, device=model.device)
        self._keys = [empty] * layers
        self._values = [empty] * layers

    def reserve(self, slots: int) -> None:
        """Room for `slots` slots. Not to be called while a batch is computed."""
        for parts in (self._keys, self._values):
            for i, part in enumerate(parts):
                if len(part) < slots:
                    # At least doubled, so that growing token by token copies each token less than twice.
                    parts[i] = part.new_empty(max(slots, 2 * len(part)), *part.shape[1:])
                    parts[i][: len(part)] = part

    def fill(self, cache: BufferCache, slots: torch.Tensor) -> None:
        """Begins every row of an empty cache with the keys and values of slots, (rows, width)."""
        for layer, keys, values in zip(cache.buffers, self._keys, self._values, strict=True):
            # (rows, width, heads, head_dim) -> (rows, heads, width, head_dim)
            layer.update(keys[slots].transpose(1, 2), values[slots].transpose(1, 2))

    def put(self, slots: Sequence[int], keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
        """Takes over the keys and values of slots, (slots, heads, head_dim) for each layer."""
        index = torch.tensor(slots, dtype=torch.long)
        for mine, given in ((self._keys, keys), (self._values, values)):
            for part, new in zip(mine, given, strict=True):
                part[index] = new.to(part.dtype)  # autocast computes in another one than the weights have


def padded(paths: Sequence[Slots], left: bool) -> torch.Tensor:
    """Shape (rows, longest), filled up with slot 0 on the left or right; whoever uses it masks what is filled."""
    width = max((len(path) for path in paths), default=0)
    result = np.zeros((len(paths), width), dtype=np.int64)
    for row, path in zip(result, paths, strict=True):
        if left:
            row[width - len(path) :] = path
        else:
            row[: len(path)] = path
    return torch.from_numpy(result)
