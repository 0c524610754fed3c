"""Scoring a growing tree of thoughts: no token that the reward models have read is read again.

A `Scorer` shares prefixes within a call. A search asks after every step, and the path to each new step is the same as
before, so a `TreeScorer` shares prefixes between calls too: it keeps the keys and values of every token. Its scores are
those of the `Scorer`, up to the last bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from o1_assets.core.parallel import map_batches
from o1_assets.engine.kv_cache import BufferCache, KeyValuePool, PrefixTree, Slots, padded
from o1_assets.reward.interface import Floats, Tokens
from o1_assets.reward.read import StepReader, stack, step_minimum
from o1_assets.reward.tree import StepSequence, ancestors, batches, on_device_of, row_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass
class Group:
    """A tree of new tokens that continue one known prefix: slots of the prefix, and of the new tokens in order.

    parents: index in `new` of the token before, -1 for the last of the prefix. positions: depth of each new token.
    """

    prefix: Slots
    new: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.new)


@dataclass(frozen=True)
class Place:
    """New token i of a batch stands in row rows[i] and column columns[i], after `width` columns of prefixes."""

    rows: Slots
    columns: Slots
    slots: Slots
    width: int


class TreeScorer:
    """A scorer with a KV cache, which lasts as long as the object does. Tokens are counted by `reader`.

    values: also read every token by the model of two classes (a Q-value model), for `outcome_probabilities`.

    Everything that is known of a token is an array over slots (`PrefixTree`), which grows as the trees do.
    """

    def __init__(self, reader: StepReader, values: bool = False) -> None:
        self.reader = reader
        self.models = [reader.model(classes) for classes in ((3, 2) if values else (3,))]
        reads_generator = any(model.feature is not None for model in self.models)
        self.generator = reader.generator if reads_generator else None
        self._prefixes = PrefixTree()
        self._pools = {id(model): KeyValuePool(model) for model in self._backbones()}
        self._probabilities = [np.zeros((0, model.classes)) for model in self.models]  # (slots, classes) each
        self._logprobs = np.zeros(0)
        self._minima = np.zeros(0, dtype=np.float32)
        held = self.generator or self.models[0].backbone
        # The generator's last hidden state of each slot: the first token of a later branch is predicted from it, long
        # after its batch is gone. Logits would be (slots, vocabulary) instead of (slots, hidden).
        self._hidden = torch.zeros(0, held.config.hidden_size, dtype=held.dtype, device=held.device)

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[Floats]:
        """For each completion (steps, 3): P(negative), P(neutral), P(positive) of each of `engine.steps`."""
        return self._read(prompts, completions, 0)

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        """For each completion the chance of a right answer, read at its last step; 0 without any."""
        return [float(c[-1, 1]) if len(c) else 0.0 for c in self._read(prompts, completions, 1)]

    def _read(self, prompts: Tokens, completions: Tokens, model: int) -> list[Floats]:
        """(steps, classes) by one of the models; all of them read what is new, so the second question is free."""
        sequences = [self.reader.sequence(p, c) for p, c in zip(prompts, completions, strict=True)]
        waiting = list(range(len(sequences)))
        paths: dict[int, Slots] = {}
        while waiting:  # a tree too large for one row is read in several rounds
            groups, read, waiting = self._groups(sequences, waiting, row_tokens(sequences))
            paths.update(read)
            self._compute(groups, [(sequences[i], path) for i, path in read.items()])
        probabilities = self._probabilities[model]
        return [probabilities[paths[i][list(s.ends)]] for i, s in enumerate(sequences)]

    def _backbones(self) -> list[PreTrainedModel]:
        """Every model that reads new tokens."""
        models = [model.backbone for model in self.models]
        return models if self.generator is None else [*models, self.generator]

    def _groups(
        self, sequences: Sequence[StepSequence], indices: Sequence[int], largest: int
    ) -> tuple[list[Group], dict[int, Slots], list[int]]:
        """New tokens by what they continue, the slots of the sequences read, and the sequences that have to wait.

        indices: of the sequences to read. largest: most new tokens of a group.
        """
        groups: dict[int, Group] = {}
        member: dict[int, tuple[Group, int]] = {}  # slot added in this call -> its group, its index there
        paths: dict[int, Slots] = {}
        later: list[int] = []
        for i in indices:
            tokens, marks = sequences[i].tokens, _marks(sequences[i])
            known = self._prefixes.known(tokens, marks)
            owner = member.get(known[-1]) if known else None
            # Tokens that were added in this very call belong to the group that their branch began. Other groups go
            # by the slot that they continue, or, at a root, by their first token (negative, to be no slot).
            branch = -1 - tokens[0] if not known else known[-1] if owner is None else -1
            group = owner[0] if owner else groups.get(branch)
            new = len(tokens) - len(known)
            if group is not None and new and len(group) + new > largest:
                later.append(i)
                continue
            if group is None and new:
                group = groups[branch] = Group(np.array(known, dtype=np.int64))
            at = known[-1] if known else -1
            slots = list(known)
            for position in range(len(known), len(tokens)):
                assert group is not None
                parent = member[at][1] if at in member else -1
                at = self._prefixes.add(at, tokens[position], marks[position])
                member[at] = (group, len(group))
                group.new.append(at)
                group.tokens.append(tokens[position])
                group.parents.append(parent)
                group.positions.append(position)
                slots.append(at)
            paths[i] = np.array(slots, dtype=np.int64)
        return list(groups.values()), paths, later

    def _compute(self, groups: list[Group], read: Sequence[tuple[StepSequence, Slots]]) -> None:
        self._grow(len(self._prefixes))
        by_prefix = sorted(groups, key=lambda group: len(group.prefix))
        parts = [[by_prefix[i] for i in batch] for batch in batches(by_prefix, self.reader.batch_tokens)]
        if self.generator is not None:
            # First the generator everywhere: a step's minimum, which the models read, needs all of its tokens.
            map_batches(self._read_generator, parts)
            for sequence, path in read:
                self._minima[path[list(sequence.ends)]] = step_minimum(self._logprobs, path, sequence)
        map_batches(self._read_models, parts)
        tokens = sum(map(len, groups))
        for model in self._backbones():
            self.reader.count(model, tokens)

    @torch.inference_mode()
    def _read_generator(self, batch: Sequence[Group]) -> None:
        """Fills in the log-probability of every new token, given all before it; 0 at a beginning."""
        assert self.generator is not None
        inputs, cache, place = self._begin(self.generator, batch)
        ids = stack([np.array(group.tokens) for group in batch], 0).to(self.generator.device)
        hidden = self.generator.base_model(input_ids=ids, past_key_values=cache, **inputs).last_hidden_state
        self._keep(self.generator, cache, place)
        # (batch, new, hidden) -> (new tokens, hidden), without padding
        rows, columns = torch.from_numpy(place.rows), torch.from_numpy(place.columns)
        self._hidden[torch.from_numpy(place.slots)] = hidden[rows, columns]
        before = np.array([slot for group in batch for slot in _slots_before(group)], dtype=np.int64)
        tokens = torch.tensor([token for group in batch for token in group.tokens])
        # Only now the logits, (new tokens, vocabulary), each at the token before: one that was read in an earlier call
        # as well as one of this batch.
        logits = self.generator.get_output_embeddings()(self._hidden[torch.from_numpy(np.maximum(before, 0))])
        logprobs = logits.float().log_softmax(-1).cpu().gather(1, tokens[:, None]).squeeze(1)
        self._logprobs[place.slots] = np.where(before < 0, 0.0, logprobs.numpy())

    @torch.inference_mode()
    def _read_models(self, batch: Sequence[Group]) -> None:
        """Fills in the class probabilities of every new token by every model."""
        ids = stack([np.array(group.tokens) for group in batch], 0)
        minima = None
        if self.generator is not None:
            minima = stack([self._minima[group.new] for group in batch], np.nan)
        for model, probabilities in zip(self.models, self._probabilities, strict=True):
            inputs, cache, place = self._begin(model.backbone, batch)
            device = model.backbone.device
            min_logprob = None if minima is None else minima.to(device)
            output = model(ids.to(device), min_logprob=min_logprob, past_key_values=cache, **inputs)
            self._keep(model.backbone, cache, place)
            chances = output["logits"].double().softmax(-1).cpu().numpy()  # (batch, new, classes)
            probabilities[place.slots] = chances[place.rows, place.columns]

    def _begin(
        self, model: PreTrainedModel, batch: Sequence[Group]
    ) -> tuple[dict[str, torch.Tensor], BufferCache, Place]:
        """The mask and positions of a batch, its cache with the prefixes in it, and where the new tokens stand."""
        width = max(len(group.prefix) for group in batch)
        new = max(map(len, batch))
        cache = BufferCache(model.config, capacity=width + new)
        if width:
            self._pools[id(model)].fill(cache, padded([group.prefix for group in batch], left=False))
        # (batch, new, width + new): columns of the prefixes, then of the new tokens, both filled up on the right.
        seen = np.zeros((len(batch), new, width + new), dtype=bool)
        seen[:, :, width:] = np.eye(new, dtype=bool)  # padding sees itself: no row of the softmax is empty
        for b, group in enumerate(batch):
            n = len(group)
            seen[b, :n, : len(group.prefix)] = True
            seen[b, :n, width : width + n] = ancestors(group.parents)
        bias = np.where(seen, np.float32(0), np.finfo(np.float32).min)
        inputs = {
            "attention_mask": torch.from_numpy(bias[:, None]),
            "position_ids": stack([np.array(group.positions) for group in batch], 0),
        }
        rows = np.repeat(np.arange(len(batch)), [len(group) for group in batch])
        columns = np.concatenate([np.arange(len(group)) for group in batch])
        slots = np.concatenate([group.new for group in batch]).astype(np.int64)
        return on_device_of(model, inputs), cache, Place(rows, columns, slots, width)

    def _keep(self, model: PreTrainedModel, cache: BufferCache, place: Place) -> None:
        """Moves the keys and values of the new tokens from a batch's cache into the pool of the model."""
        rows, columns = torch.from_numpy(place.rows), torch.from_numpy(place.columns + place.width)
        self._pools[id(model)].put(place.slots.tolist(), *cache.at(rows, columns))

    def _grow(self, slots: int) -> None:
        """Room for `slots` tokens in all arrays, before the batches are computed in parallel."""
        for pool in self._pools.values():
            pool.reserve(slots)
        if slots > len(self._logprobs):
            # At least doubled, so that all growing together copies each token less than twice.
            more = max(slots, 2 * len(self._logprobs)) - len(self._logprobs)
            self._probabilities = [np.pad(part, ((0, more), (0, 0))) for part in self._probabilities]
            self._logprobs = np.pad(self._logprobs, (0, more))
            self._minima = np.pad(self._minima, (0, more), constant_values=np.nan)
            self._hidden = torch.nn.functional.pad(self._hidden, (0, 0, 0, more))


def _marks(sequence: StepSequence) -> list[int]:
    """1 where a step ends. Such a token carries the generator's step minimum as an input feature, so it needs a cache
    entry of its own, apart from the same token inside of a longer step."""
    marks = [0] * len(sequence.tokens)
    for end in sequence.ends:
        marks[end] = 1
    return marks


def _slots_before(group: Group) -> list[int]:
    """For each new token the slot of the token before it, -1 at a beginning."""
    last = int(group.prefix[-1]) if len(group.prefix) else -1
    return [group.new[parent] if parent >= 0 else last for parent in group.parents]
