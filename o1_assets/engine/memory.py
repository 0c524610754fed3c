"""The prefix cache of a search on the transformers engine: what was read or written once is gathered, not computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from o1_assets.core.parallel import map_batches
from o1_assets.engine.kv_cache import BufferCache, KeyValuePool, PrefixTree, Slots, padded

READ_ROWS = 256


@dataclass(frozen=True)
class Written:
    """Rows that left a batch.

    paths: their tokens, prompt first; known: how many of each were in the memory before. keys, values: those of the
    other tokens, all rows one after another, (tokens, heads, head_dim) for each layer.
    """

    paths: list[list[int]]
    known: list[int]
    keys: list[torch.Tensor]
    values: list[torch.Tensor]


class Memory:
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
