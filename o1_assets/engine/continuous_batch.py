"""Continuous batching: where a sample ends, the next one begins in its place, so that a product always has many rows.

As in vLLM (arXiv:2309.06180) and Orca (OSDI 2022), for `LargeLlama` on CPUs. Which samples meet in a batch depends on
the samples alone and not on time, so equal calls give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from o1_assets.core.engine import Sample, SamplingParams
from o1_assets.core.parallel import cores, map_batches
from o1_assets.core.seeds import uniforms
from o1_assets.engine.large_llama import UNSEEN, Columns, LargeLlama

# Rows of a batch: each product reads all weights, and with 128 rows that is little beside multiplying them.
MOST_ROWS = 128
# Share of the rows that has to be free before others are read into their places: reading is a product too.
REFILL_AT = 1 / 8
# Tokens that a prompt has to share with one that is being read, to be read after it and take them over.
WORTH_WAITING = 16
# Tokens of a vocabulary that are summed up together when one is drawn.
BLOCK = 256


@dataclass(frozen=True)
class Request:
    """What all samples of a call share. ends: (vocabulary,) whether a token ends a sample. blank_lines: (3, vocabulary)
    whether a token begins, continues or completes a blank line, which ends a sample too; or None."""

    prompts: Sequence[Sequence[int]]
    seeds: Sequence[int]
    params: SamplingParams
    ends: Tensor
    blank_lines: Tensor | None
    samples: list[Sample]


def sample_continuously(llama: LargeLlama, request: Request, rows_for: Callable[[int], int]) -> None:
    """Fills `request.samples`. rows_for: how many rows of so many tokens fit into memory."""
    prompts = request.prompts
    common = _equal(min(map(tuple, prompts)), max(map(tuple, prompts)))
    common = min(common, min(map(len, prompts)) - 1)
    with torch.inference_mode():
        nothing = llama.columns(1, 0)
        begin = llama.read([prompts[0][:common]], [(0, 0)], nothing, None) if common else None
    longest = max(map(len, prompts)) - common + request.params.max_tokens
    count = min(cores(), len(prompts))
    rows = min(MOST_ROWS, rows_for(longest), -(-len(prompts) // count))
    # By content, so that prompts that begin alike are read one after another; each thread gets a run of them.
    order = sorted(range(len(prompts)), key=lambda i: (tuple(prompts[i]), i))
    bounds = [len(order) * part // count for part in range(count + 1)]
    parts = [order[start:end] for start, end in pairwise(bounds)]
    map_batches(lambda part: Batch(llama, request, part, begin, common, rows).run(), parts)


def _equal(one: Sequence[int], other: Sequence[int]) -> int:
    """With how many equal tokens two texts begin."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


class Batch:
    """Rows that are sampled together by one thread, each a sample; the prompts that they continue; and who waits.

    A row's first token is its prompt's last one, so that reading a prompt needs no logits. Rows that are active are the
    first ones, prompts that have rows too.
    """

    def __init__(
        self,
        llama: LargeLlama,
        request: Request,
        waiting: Sequence[int],
        begin: Columns | None,
        common: int,
        most: int,
    ) -> None:
        self.llama, self.request, self.begin, self.common = llama, request, begin, common
        self.most = most
        self.waiting = list(reversed(waiting))
        tokens = request.params.max_tokens
        self.limits = torch.tensor([request.params.limit(i) for i in range(len(request.prompts))])
        longest = max(len(request.prompts[i]) for i in waiting) - 1 - common
        self.rows, self.prompts = llama.columns(most, tokens), llama.columns(most, longest)
        # For each prompt that has rows: its tokens after the common ones, without the last.
        self.prompt_of: list[tuple[int, ...]] = []
        # For each row: its sample, its prompt (a place in prompt_of), the token to be read next, how many were read.
        self.owners, self.place = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self.last, self.lengths = torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long)
        self.streams = np.zeros(0, dtype=np.uint64)
        self.in_blank_line = torch.zeros(0, dtype=torch.bool)

    @torch.inference_mode()
    def run(self) -> None:
        """Until nobody waits and no row is left."""
        while self.waiting or len(self.owners):
            if self.waiting and self.most - len(self.owners) >= max(1, self.most * REFILL_AT):
                self._refill()
                self._arrange()
            finished = self._next_tokens()
            if len(finished):
                self._drop(finished)
                if len(self.owners):
                    self._arrange()

    def _refill(self) -> None:
        """Reads the prompts of who waits longest, and gives them rows."""
        entering = [self.waiting.pop() for _ in range(min(len(self.waiting), self.most - len(self.owners)))]
        prompts = [self.request.prompts[i] for i in entering]
        texts = [tuple(prompt[self.common : -1]) for prompt in prompts]
        self._read(sorted({*texts} - {*self.prompt_of}))
        place_of = {text: place for place, text in enumerate(self.prompt_of)}
        count = len(entering)
        seeds = [self.request.seeds[i] & (2**64 - 1) for i in entering]
        self.owners = np.concatenate([self.owners, entering])
        self.place = np.concatenate([self.place, [place_of[text] for text in texts]])
        self.streams = np.concatenate([self.streams, np.array(seeds, dtype=np.uint64)])
        self.last = torch.cat([self.last, torch.tensor([prompt[-1] for prompt in prompts])])
        self.lengths = torch.cat([self.lengths, torch.zeros(count, dtype=torch.long)])
        self.in_blank_line = torch.cat([self.in_blank_line, torch.zeros(count, dtype=torch.bool)])

    def _read(self, texts: Sequence[tuple[int, ...]]) -> None:
        """Gives new prompts, in the order of their content, places behind the others."""
        while texts:
            now: list[tuple[int, ...]] = []
            later: list[tuple[int, ...]] = []
            known: list[tuple[int, int]] = []
            for text in texts:
                equal = [_equal(text, other) for other in self.prompt_of]
                best = int(np.argmax(equal)) if equal else 0
                columns = equal[best] if equal else 0
                # What it shares with one that is being read only now, it can take over in the next round.
                if now and _equal(text, now[-1]) >= columns + WORTH_WAITING:
                    later.append(text)
                else:
                    now.append(text)
                    # A text has to have a token that is read, or there is nothing to compute.
                    known.append((best, min(columns, max(len(text) - 1, 0))))
            self._add(now, known)
            texts = later

    def _add(self, texts: Sequence[tuple[int, ...]], known: Sequence[tuple[int, int]]) -> None:
        # One text may be empty: whatever all prompts begin with is all of it.
        filled = [i for i, text in enumerate(texts) if text]
        if filled:
            read = self.llama.read(
                [texts[i] for i in filled], [known[i] for i in filled], self.prompts, self.begin
            )
            for row, i in enumerate(filled):
                self.prompts.take(read, row, len(self.prompt_of) + i, len(texts[i]))
        self.prompt_of += texts

    def _arrange(self) -> None:
        """What `next_logits` wants to know of who continues which prompt; it changes when rows come or go."""
        prompts = len(self.prompt_of)
        counts = np.bincount(self.place, minlength=prompts)
        most = int(counts.max())
        by_prompt = np.argsort(self.place, kind="stable")
        within = np.arange(len(by_prompt)) - np.repeat(counts.cumsum() - counts, counts)
        spread, place = np.zeros(prompts * most, dtype=np.int64), np.zeros(len(by_prompt), dtype=np.int64)
        place[by_prompt] = self.place[by_prompt] * most + within
        spread[place] = np.arange(len(place))
        self._spread, self._place = torch.from_numpy(spread), torch.from_numpy(place)
        lengths = torch.tensor([len(text) for text in self.prompt_of])
        columns = int(lengths.max())
        unseen = torch.arange(columns) >= lengths[:, None, None]
        self._bias = torch.zeros(prompts, most, columns).masked_fill_(unseen, UNSEEN)
        self._begins = self.common + lengths[torch.from_numpy(self.place)]  # each row's first position

    def _next_tokens(self) -> Tensor:
        """One more token a row. Returns the rows that are finished, in falling order."""
        logits = self.llama.next_logits(
            self.last, self._begins + self.lengths, self.begin, self.prompts, self._bias, self._spread, self._place,
            self.rows, self.lengths,
        )  # fmt: skip
        params, ends = self.request.params, self.request.ends
        limits = self.limits[torch.from_numpy(self.owners)]  # (rows,)
        chosen, likely = choose(logits, params.temperature, uniforms(self.streams, self.lengths.numpy()))
        self.lengths = self.lengths + 1
        self.last = chosen
        ended = ends[chosen]
        if self.request.blank_lines is not None:
            begins, continues, completes = self.request.blank_lines[:, chosen]
            ended = ended | (self.in_blank_line & completes)
            self.in_blank_line = begins | (self.in_blank_line & continues)
        for owner, token, logprob, end in zip(
            self.owners, chosen.tolist(), likely.tolist(), ended.tolist(), strict=True
        ):
            sample = self.request.samples[owner]
            sample.token_ids.append(token)
            sample.logprobs.append(logprob)
            sample.finished = end
        return torch.nonzero(ended | (self.lengths == limits)).squeeze(1).flip(0)

    def _drop(self, finished: Tensor) -> None:
        """Moves the last rows, and the last prompts, into the places of those that are done with."""
        kept = list(range(len(self.owners)))
        for row in finished.tolist():
            moved = kept.pop()
            if row < len(kept):
                self.rows.take(self.rows, len(kept), row, int(self.lengths[moved]))
                kept[row] = moved
        index = torch.tensor(kept, dtype=torch.long)
        self.last, self.lengths = self.last[index], self.lengths[index]
        self.in_blank_line = self.in_blank_line[index]
        self.owners, self.place, self.streams = self.owners[kept], self.place[kept], self.streams[kept]
        for place in reversed(range(len(self.prompt_of))):
            if place not in self.place:
                end = len(self.prompt_of) - 1
                text = self.prompt_of.pop()
                if place < end:
                    self.prompts.take(self.prompts, end, place, len(text))
                    self.prompt_of[place] = text
                    self.place[self.place == end] = place


def choose(logits: Tensor, temperature: float, uniform: np.ndarray) -> tuple[Tensor, Tensor]:
    """A token for each row by inverse CDF (or the best one), and its log-probability at temperature 1.

    For large vocabularies: probabilities are summed up in blocks first, and only the block that is hit token by token.
    logits: (rows, vocabulary). uniform: (rows,), in [0, 1).
    """
    rows, vocabulary = logits.shape
    if temperature == 0:
        chosen = logits.argmax(dim=1)
    else:
        chances = torch.softmax(logits / temperature, dim=1)
        if vocabulary % BLOCK:
            chances = torch.nn.functional.pad(chances, (0, BLOCK - vocabulary % BLOCK))
        chances = chances.view(rows, -1, BLOCK)
        # In double precision: in single, a sum over a large vocabulary loses tokens of small probability.
        cumulative = chances.sum(2).double().cumsum(1)
        target = torch.from_numpy(uniform)[:, None] * cumulative[:, -1:]
        block = torch.searchsorted(cumulative, target, right=True).clamp(max=cumulative.shape[1] - 1)
        every = torch.arange(rows)
        before = torch.where(block > 0, cumulative.gather(1, (block - 1).clamp(min=0)), 0.0)
        inside = chances[every, block[:, 0]].double().cumsum(1)
        # The block's sum was rounded: what is left of the target is scaled to the sum as it comes out here.
        share = (target - before) / (cumulative.gather(1, block) - before)
        within = torch.searchsorted(inside, share * inside[:, -1:], right=True).clamp(max=BLOCK - 1)
        chosen = (block * BLOCK + within).squeeze(1).clamp(max=vocabulary - 1)
    likely = logits.gather(1, chosen[:, None]).squeeze(1) - logits.logsumexp(dim=1)
    return chosen, likely
