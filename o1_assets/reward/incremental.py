"""Scoring a growing tree of thoughts: no token that the PRM has read is read again.

A `Scorer` shares prefixes within a call. A search asks after every step, and the path to each new step is the
same as before, so a `TreeScorer` shares them between calls too: it keeps every token's keys and values. Its
scores are those of the `Scorer`, up to the last bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from o1_assets.core.flops import non_embedding_parameters
from o1_assets.core.parallel import map_batches
from o1_assets.engine.kv_cache import BufferCache, KeyValuePool, PrefixTree, Slots, padded
from o1_assets.reward.read import stack, step_minimum
from o1_assets.reward.score import Scorer
from o1_assets.reward.tree import BATCH_TOKENS, StepSequence, Tokens, on_device_of, row_tokens


@dataclass
class Group:
    """A tree of new tokens that continue one known prefix: slots of the prefix, and of the new tokens in order.

    parents: index in `new` of the token before, -1 for the prefix's last. position: depth of each new token.
    """

    prefix: Slots
    new: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def visible(self) -> NDArray[np.bool_]:
        """(new, new): whether a new token sees another."""
        seen = np.eye(len(self.new), dtype=bool)
        for i, parent in enumerate(self.parents):
            if parent >= 0:
                seen[i] |= seen[parent]
        return seen


class TreeScorer:
    """A `Scorer` with a memory, which lasts as long as the object does. The scorer counts the tokens.

    values: also read every token by the model of two classes (a Q-value model), for `outcome_probabilities`.
    """

    def __init__(self, scorer: Scorer, values: bool = False) -> None:
        self.scorer = scorer
        self.models = [scorer.model(classes) for classes in ((3, 2) if values else (3,))]
        reads_generator = any(model.feature is not None for model in self.models)
        self.generator = scorer.generator if reads_generator else None
        self._prefixes = PrefixTree()
        self._pools = {id(model): KeyValuePool(model) for model in self._readers()}
        self._probabilities = [np.zeros((0, model.classes)) for model in self.models]
        self._logprobs = np.zeros(0)
        self._minima = np.zeros(0, dtype=np.float32)
        held = self.generator or self.models[0].backbone
        self._hidden = torch.zeros(0, held.config.hidden_size, dtype=held.dtype, device=held.device)

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[NDArray[np.float64]]:
        """For each completion (steps, 3): P(negative), P(neutral), P(positive) of each of `engine.steps`."""
        return self._read(prompts, completions, 0)

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        """For each completion the chance of a right answer, read at its last step; 0 without any."""
        return [float(c[-1, 1]) if len(c) else 0.0 for c in self._read(prompts, completions, 1)]

    def _read(self, prompts: Tokens, completions: Tokens, model: int) -> list[NDArray[np.float64]]:
        """(steps, classes) by one of the models; all of them read what is new."""
        sequences = [self.scorer.sequence(p, c) for p, c in zip(prompts, completions, strict=True)]
        waiting = list(range(len(sequences)))
        paths: dict[int, Slots] = {}
        while waiting:  # a tree too large for one row is read in several rounds
            groups, read, waiting = self._groups(sequences, waiting, row_tokens(sequences))
            paths.update(read)
            self._compute(list(groups), [(sequences[i], path) for i, path in read.items()])
        found = self._probabilities[model]
        return [found[paths[i][list(s.ends)]] for i, s in enumerate(sequences)]

    def _readers(self) -> list[PreTrainedModel]:
        models = [model.backbone for model in self.models]
        return models if self.generator is None else [*models, self.generator]

    def _groups(
        self, sequences: Sequence[StepSequence], wanted: Sequence[int], largest: int
    ) -> tuple[list[Group], dict[int, Slots], list[int]]:
        """New tokens of the wanted sequences by what they continue, the paths of these, and what has to wait."""
        groups: dict[int, Group] = {}
        member: dict[int, tuple[Group, int]] = {}
        paths: dict[int, Slots] = {}
        later: list[int] = []
        for i in wanted:
            tokens, marks = sequences[i].tokens, _marks(sequences[i])
            known = self._prefixes.known(tokens, marks)
            owner = member.get(known[-1]) if known else None
            # Tokens that were added in this very call belong to the group that their branch began.
            branch = -1 - tokens[0] if not known else known[-1] if owner is None else -1
            group = owner[0] if owner else groups.get(branch)
            new = len(tokens) - len(known)
            if group is not None and new and len(group.new) + new > largest:
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
                member[at] = (group, len(group.new))
                group.new.append(at)
                group.tokens.append(tokens[position])
                group.parents.append(parent)
                group.positions.append(position)
                slots.append(at)
            paths[i] = np.array(slots, dtype=np.int64)
        return list(groups.values()), paths, later

    def _compute(self, groups: list[Group], read: Sequence[tuple[StepSequence, Slots]]) -> None:
        self._grow(len(self._prefixes))
        batches = list(_batches(groups))
        if self.generator is not None:
            map_batches(self._read_generator, batches)
            for sequence, path in read:
                self._minima[path[list(sequence.ends)]] = step_minimum(self._logprobs, path, sequence)
        map_batches(self._read_models, batches)
        tokens = sum(len(group.new) for group in groups)
        for reader in self._readers():
            self.scorer.count(non_embedding_parameters(reader), tokens)

    @torch.inference_mode()
    def _read_generator(self, batch: Sequence[Group]) -> None:
        """Fills in the log-probability of every new token, given all before it; 0 at a beginning."""
        assert self.generator is not None
        inputs, cache, place = self._begin(self.generator, batch)
        ids = stack([np.array(group.tokens) for group in batch], 0).to(self.generator.device)
        hidden = self.generator.base_model(input_ids=ids, past_key_values=cache, **inputs).last_hidden_state
        self._keep(self.generator, cache, place)
        slots = place.slots
        self._hidden[torch.from_numpy(slots)] = hidden[
            torch.from_numpy(place.rows), torch.from_numpy(place.columns)
        ]
        before = np.concatenate(
            [
                [
                    group.new[p] if p >= 0 else group.prefix[-1] if len(group.prefix) else -1
                    for p in group.parents
                ]
                for group in batch
            ]
        ).astype(np.int64)
        tokens = torch.tensor([token for group in batch for token in group.tokens])
        logits = self.generator.get_output_embeddings()(self._hidden[torch.from_numpy(np.maximum(before, 0))])
        logprobs = logits.float().log_softmax(-1).cpu().gather(1, tokens[:, None]).squeeze(1)
        self._logprobs[slots] = np.where(before < 0, 0.0, logprobs.numpy())

    @torch.inference_mode()
    def _read_models(self, batch: Sequence[Group]) -> None:
        ids = stack([np.array(group.tokens) for group in batch], 0)
        minima = None
        if self.generator is not None:
            minima = stack([self._minima[group.new] for group in batch], np.nan)
        for model, probabilities in zip(self.models, self._probabilities, strict=True):
            inputs, cache, place = self._begin(model.backbone, batch)
            device = model.backbone.device
            doubts = None if minima is None else minima.to(device)
            read = model(ids.to(device), min_logprob=doubts, past_key_values=cache, **inputs)
            self._keep(model.backbone, cache, place)
            chances = read["logits"].double().softmax(-1).cpu().numpy()
            probabilities[place.slots] = chances[place.rows, place.columns]

    def _begin(
        self, model: PreTrainedModel, batch: Sequence[Group]
    ) -> tuple[dict[str, torch.Tensor], BufferCache, Place]:
        """The mask and positions of a batch, its cache with the prefixes in it, and where the new tokens stand."""
        width = max(len(group.prefix) for group in batch)
        new = max(len(group.new) for group in batch)
        cache = BufferCache(model.config, capacity=width + new)
        if width:
            self._pools[id(model)].fill(cache, padded([group.prefix for group in batch], left=False))
        seen = np.zeros((len(batch), new, width + new), dtype=bool)
        seen[:, :, width:] = np.eye(new, dtype=bool)  # padding sees itself: no row of the softmax is empty
        for b, group in enumerate(batch):
            n = len(group.new)
            seen[b, :n, : len(group.prefix)] = True
            seen[b, :n, width : width + n] = group.visible()
        bias = np.where(seen, np.float32(0), np.finfo(np.float32).min)
        inputs = {
            "attention_mask": torch.from_numpy(bias[:, None]),
            "position_ids": stack([np.array(group.positions) for group in batch], 0),
        }
        rows = np.repeat(np.arange(len(batch)), [len(group.new) for group in batch])
        columns = np.concatenate([np.arange(len(group.new)) for group in batch])
        slots = np.concatenate([group.new for group in batch]).astype(np.int64)
        return on_device_of(model, inputs), cache, Place(rows, columns, slots, width)

    def _keep(self, model: PreTrainedModel, cache: BufferCache, place: Place) -> None:
        rows, columns = torch.from_numpy(place.rows), torch.from_numpy(place.columns + place.width)
        self._pools[id(model)].put(place.slots.tolist(), *cache.at(rows, columns))

    def _grow(self, slots: int) -> None:
        for pool in self._pools.values():
            pool.reserve(slots)
        if slots > len(self._logprobs):
            more = max(slots, 2 * len(self._logprobs)) - len(self._logprobs)
            self._probabilities = [np.pad(part, ((0, more), (0, 0))) for part in self._probabilities]
            self._logprobs = np.pad(self._logprobs, (0, more))
            self._minima = np.pad(self._minima, (0, more), constant_values=np.nan)
            self._hidden = torch.nn.functional.pad(self._hidden, (0, 0, 0, more))


@dataclass(frozen=True)
class Place:
    """New token i of a batch stands in row rows[i], column columns[i] after `width` columns of prefixes."""

    rows: Slots
    columns: Slots
    slots: Slots
    width: int


def _marks(sequence: StepSequence) -> list[int]:
    """1 where a step ends: the PRM reads the generator's doubt there, so such a token is another one."""
    marks = [0] * len(sequence.tokens)
    for end in sequence.ends:
        marks[end] = 1
    return marks


def _batches(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Groups of like size, at most BATCH_TOKENS new tokens with padding (one group may be larger)."""
    batch: list[Group] = []
    for group in sorted(groups, key=lambda g: (len(g.new), len(g.prefix))):
        if batch and (len(batch) + 1) * len(group.new) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch
