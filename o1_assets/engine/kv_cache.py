"""Keys and values: of the batch that is being computed, and of prefixes that were read before.

`BufferCache` is the cache of one batch, in buffers that are allocated once. A tree of thoughts comes back to the same
prefixes over and over, so what a model has read once is kept: `PrefixTree` gives every token of every prefix a slot,
`KeyValuePool` holds the keys and values of the slots, and a batch that continues prefixes gathers theirs into its
`BufferCache` (vLLM's paged attention, arXiv:2309.06180, with pages of one token). `PrefixCache` is all of
that for a sampler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.cache_utils import Cache, CacheLayerMixin

from o1_assets.core.parallel import map_batches

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


Slots = NDArray[np.int64]

# Most prompts that `PrefixCache.read` sends through the model together.
READ_ROWS = 256


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


@dataclass(frozen=True)
class Written:
    """Rows that left a batch.

    paths: their tokens, prompt first; known: how many of each were kept before. keys, values: those of the
    other tokens, all rows one after another, (tokens, heads, head_dim) for each layer.
    """

    paths: list[list[int]]
    known: list[int]
    keys: list[torch.Tensor]
    values: list[torch.Tensor]


class PrefixCache:
    """The prefixes that one model has read, for as long as its weights stay the same."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._prefixes = PrefixTree()
        self._pool = KeyValuePool(model)

    def __len__(self) -> int:
        """Tokens remembered."""
        return len(self._prefixes)

    def read(self, prompts: Sequence[Sequence[int]]) -> None:
        """Makes sure that all of each prompt but its last token is known."""
        # By length, so that what another prompt continues is read before it. By content, because the order decides the
        # batches and a set has none.
        distinct = sorted({tuple(prompt[:-1]) for prompt in prompts}, key=lambda p: (len(p), p))
        while distinct:
            # Two prompts that continue in the same new way would both compute what they share: the second waits for the
            # next round, and then finds it.
            fresh: list[tuple[tuple[int, ...], int]] = []
            firsts: set[tuple[int, ...]] = set()
            later = []
            for prompt in distinct:
                known = len(self._prefixes.known(prompt))
                if known == len(prompt):
                    continue
                first = prompt[: known + 1]
                if first in firsts:
                    later.append(prompt)
                else:
                    firsts.add(first)
                    fresh.append((prompt, known))
            parts = [fresh[i : i + READ_ROWS] for i in range(0, len(fresh), READ_ROWS)]
            for written in map_batches(self._read, parts):
                self.add(written)
            distinct = later

    def begin(
        self, prompts: Sequence[Sequence[int]], capacity: int
    ) -> tuple[BufferCache, torch.Tensor, torch.Tensor]:
        """A cache that begins with all but the last token of each prompt, on the right, and has room for more.

        capacity: columns for what follows. Returns the cache, the mask (rows, width + 1) of what is there and of
        the last token, and the last token's positions.
        """
        # The last token is left out: its logits are wanted, so it has to be computed anyway.
        lengths = torch.tensor([len(prompt) - 1 for prompt in prompts])
        width = int(lengths.max())
        cache = BufferCache(self.model.config, width + capacity)
        if width:
            self._pool.fill(cache, padded([self._path(prompt[:-1]) for prompt in prompts], left=True))
        # (rows, width + 1), padded on the left; the column at the end is the last token's.
        mask = (torch.arange(width + 1) >= width - lengths[:, None]).long()
        return cache, mask, lengths

    def leave(
        self,
        cache: BufferCache,
        width: int,
        rows: Sequence[int],
        prompts: Sequence[Sequence[int]],
        new: Sequence[Sequence[int]],
    ) -> Written:
        """What rows of a cache have beyond its first `width` columns: the prompt's last token, and all new ones
        but the last, which was never read."""
        # n new tokens were written, n were read: the prompt's last one and all new ones but the last.
        counts = [len(tokens) for tokens in new]
        row = torch.tensor([r for r, n in zip(rows, counts, strict=True) for _ in range(n)])
        column = torch.tensor([width + i for n in counts for i in range(n)])
        paths = [[*prompt, *tokens[:-1]] for prompt, tokens in zip(prompts, new, strict=True)]
        return Written(paths, [len(prompt) - 1 for prompt in prompts], *cache.at(row, column))

    def add(self, written: Written) -> None:
        """Not to be called while batches run: who is first decides whose bits are kept."""
        slots, source, at = [], [], 0  # at: where a path's tokens begin in written.keys
        for path, known in zip(written.paths, written.known, strict=True):
            before = len(self._prefixes)
            for position, slot in enumerate(self._prefixes.extend(path)[known:].tolist()):
                if slot >= before:  # another row may have written the same prefix: the first one's is kept
                    slots.append(slot)
                    source.append(at + position)
            at += len(path) - known
        self._pool.reserve(len(self._prefixes))
        self._pool.put(
            slots, [part[source] for part in written.keys], [part[source] for part in written.values]
        )

    def _path(self, tokens: Sequence[int]) -> Slots:
        slots = self._prefixes.known(tokens)
        assert len(slots) == len(tokens), "read() was not called for this prompt"
        return np.array(slots, dtype=np.int64)

    @torch.inference_mode()
    def _read(self, part: Sequence[tuple[tuple[int, ...], int]]) -> Written:
        paths = [self._path(prompt[:known]) for prompt, known in part]
        before, longest = max(map(len, paths)), max(len(prompt) - known for prompt, known in part)
        cache = BufferCache(self.model.config, before + longest)
        device = self.model.device
        if before:
            self._pool.fill(cache, padded(paths, left=True))
        ids = torch.zeros(len(part), longest, dtype=torch.long)
        positions = torch.zeros(len(part), longest, dtype=torch.long)
        mask = torch.zeros(len(part), before + longest, dtype=torch.long)
        row: list[int] = []
        column: list[int] = []
        for i, (prompt, known) in enumerate(part):
            n = len(prompt) - known
            ids[i, :n] = torch.tensor(prompt[known:])
            positions[i] = torch.arange(known, known + longest).clamp(max=len(prompt))
            mask[i, before - known : before + n] = (
                1  # known tokens end, and new ones begin, at column `before`
            )
            row += [i] * n
            column += range(before, before + n)
        self.model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        keys, values = cache.at(torch.tensor(row), torch.tensor(column))
        return Written([list(prompt) for prompt, _ in part], [known for _, known in part], keys, values)
