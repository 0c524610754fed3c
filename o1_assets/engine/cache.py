"""A KV cache in buffers allocated once: a token is written in place, finished rows are dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

if TYPE_CHECKING:
    from transformers import PretrainedConfig


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
        out = buffer.new_empty(len(rows), *buffer.shape[1:])
        torch.index_select(buffer[:, :, : self.length], 0, rows, out=out[:, :, : self.length])
        return out

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
        """Views of everything so far and of `new` columns more, for the caller to fill, for each layer."""
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
