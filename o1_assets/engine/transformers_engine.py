"""The sampler: any Hugging Face causal LM, made fast for small models on a CPU.

What it does that `generate` does not: the cache is written in place, finished rows are dropped from the batch, a
prompt that occurs many times is read once, and every sample has its own counter-based random stream, so that it is the
same in any batch (up to the last bits of floating point). Llamas that `LlamaStep` fits are computed by it, larger ones
in continuous batches by `LargeLlama` where no prefix cache and no pattern is asked for, other models by themselves.
What it leaves out: beam search, top-k and top-p, sliding-window and recurrent caches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from o1_assets.core.engine import Sample, SamplingParams, check_prompts
from o1_assets.core.flops import non_embedding_parameters
from o1_assets.core.parallel import map_batches, shares
from o1_assets.core.seeds import uniforms
from o1_assets.engine.checkpoint import load_tokenizer, read_causal_lm
from o1_assets.engine.constrained import ConstrainedRows
from o1_assets.engine.continuous_batch import Request, sample_continuously
from o1_assets.engine.kv_cache import BufferCache, PrefixCache, Written, cache_shape
from o1_assets.engine.large_llama import LargeLlama
from o1_assets.engine.llama_step import LlamaStep
from o1_assets.engine.shared_batch import COMPACT_AT, Rows, draw, sample_shared
from o1_assets.engine.steps import LINE, blank_line_parts, ends_step, separator

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

T = TypeVar("T")

# Keys and values of a batch take at most so much, on CPUs for each core.
CACHE_BYTES, GPU_CACHE_BYTES = 2**30, 2**33


class TransformersEngine:
    """Samples from `model`, which stays the caller's: RL passes the policy while it trains it."""

    constrains = True

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int = 512
    ) -> None:
        self.model: Any = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.parameters = non_embedding_parameters(model)
        # Which tokens end a sample, as masks over the vocabulary: a batch's tokens are looked up in one operation. The
        # vocabulary is the model's; a tokenizer may know fewer tokens, where the embedding was rounded up.
        ends = model.generation_config.eos_token_id if model.generation_config else tokenizer.eos_token_id
        self._ends = torch.zeros(model.config.get_text_config().vocab_size, dtype=torch.bool)
        self._ends[ends if ends is not None else []] = True
        self._newlines: torch.Tensor | None = None
        self._blank_lines: torch.Tensor | None = None
        self._prefixes: PrefixCache | None = None
        self._step: LlamaStep | None = None
        self._large: LargeLlama | None = None
        # The last position that the model can compute in the present call, where samples may come to it.
        self._last_position: int | None = None
        # Whether the weights stay as they are, so that they are packed once; and what they are packed as.
        self._frozen, self._products = False, torch.float32

    @classmethod
    def open(cls, path: Path, batch_size: int = 512, bfloat16: bool = False) -> TransformersEngine:
        """The checkpoint in a folder, in float32 on a CPU, in its own precision on a GPU.

        bfloat16: on a CPU a Llama that `LargeLlama` fits samples with products in bfloat16.
        """
        gpu = torch.cuda.is_available()
        model = read_causal_lm(path, "auto" if gpu else "float32")
        engine = cls(model.to("cuda" if gpu else "cpu").eval(), load_tokenizer(path), batch_size)
        engine._frozen, engine._products = True, torch.bfloat16 if bfloat16 else torch.float32
        return engine

    def close(self) -> None:
        self.model = None

    # -- sampling -----------------------------------------------------------------------------------------

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        """One sample for each prompt, each from its own seed; in the order of the prompts.

        Raises ValueError if the numbers of prompts and seeds differ or a prompt is empty.
        """
        check_prompts(prompts, seeds)
        samples = [Sample([], [], False) for _ in prompts]  # filled in place, whatever batch each is in
        longest = self._longest(max(map(len, prompts), default=0) + params.max_tokens)
        self._last_position = None
        if longest is None:
            self._fill(prompts, params, seeds, samples)
            return samples
        fits = [i for i, prompt in enumerate(prompts) if len(prompt) < longest]
        limits = tuple(min(params.limit(i), longest - len(prompts[i])) for i in fits)
        self._last_position = longest - 1
        self._fill(
            [prompts[i] for i in fits],
            replace(params, limits=limits),
            [seeds[i] for i in fits],
            [samples[i] for i in fits],
        )
        return samples

    def _longest(self, wanted: int) -> int | None:
        """The longest sequence that the model can compute; None where it can compute one of `wanted` tokens."""
        config = self.model.config.get_text_config()
        positions: int | None = getattr(config, "max_position_embeddings", None)
        if positions is None or wanted <= positions:
            return None
        rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_theta", None)
        # Learned positions end, and so do our own decoding steps, which look rotary ones up in a table.
        ends = not rotary or LlamaStep.fits(self.model) or LargeLlama.fits(self.model)
        return positions if ends else None

    def _fill(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        seeds: Sequence[int],
        samples: list[Sample],
    ) -> None:
        """Fills `samples` in place, one for each prompt; all prompts have room for a token."""
        if not prompts:
            return
        # By length, so that little is padded; by content, so that equal prompts meet in one batch.
        order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), prompts[i], i))
        training = self.model.training
        self.model.eval()

        def fill(part: slice) -> list[Written]:
            rows = order[part]
            limits = tuple(params.limits[i] for i in rows) if params.limits else ()
            shared = params.shared and not (params.stop_at_step or params.pattern)
            return (self._sample_shared if shared else self._sample_batch)(
                [prompts[i] for i in rows],
                replace(params, limits=limits),
                [seeds[i] for i in rows],
                [samples[i] for i in rows],
            )

        # Whole solutions end and are never continued, so only steps are worth remembering.
        prefixes = self._prefixes if params.stop_at_step else None
        if prefixes is None and not params.pattern and LargeLlama.fits(self.model):
            large = self._large or LargeLlama(self.model, self._products)
            # The packed weights are as large as the model, and of no use once it was trained again.
            self._large = large if self._frozen else None
            ends = self._stops(params), self._blank_line_parts(params)
            sample_continuously(large, Request(prompts, seeds, params, *ends, samples), self._rows)
            self.model.train(training)
            return
        if self._prefixes is None:
            # The weights may have changed since the last call: RL trains them in between.
            self._step = self._new_step()
        if prefixes is not None:
            prefixes.read(prompts)
        longest = max(map(len, prompts), default=0) + params.max_tokens
        for batch in self._map(fill, len(order), self._rows(longest)):
            for written in batch:
                # After all batches and in their order: they ran in parallel, and who adds first decides whose bits
                # are kept.
                assert prefixes is not None
                prefixes.add(written)
        self.model.train(training)

    def _map(self, work: Callable[[slice], T], total: int, largest: int) -> list[T]:
        """`work` on all of `total` rows, in batches of at most `largest` rows.

        On a CPU the batches run at once, one for each core; on a GPU one after another, as they would share its memory.
        """
        if self.model.device.type == "cpu":
            return map_batches(work, shares(total, largest))
        return [work(slice(start, start + largest)) for start in range(0, total, largest)]

    def _rows(self, tokens: int) -> int:
        """How many samples of `tokens` tokens go through the model together: their cache has to fit."""
        layers, heads, width = cache_shape(self.model.config)
        token = 2 * layers * heads * width * self.model.dtype.itemsize  # bytes of keys and values
        limit = CACHE_BYTES if self.model.device.type == "cpu" else GPU_CACHE_BYTES
        return max(1, min(self.batch_size, limit // max(1, token * tokens)))

    @contextmanager
    def prefix_cache(self) -> Iterator[None]:
        """Inside of it no prefix of a step is read twice. The model's weights must not change meanwhile."""
        # One inside of another has prefixes of its own: a server answers a question between two batches of others.
        before = self._prefixes
        self._prefixes, self._step = PrefixCache(self.model), self._new_step()
        try:
            yield
        finally:
            self._prefixes = before

    def _new_step(self) -> LlamaStep | None:
        """For the weights as they are now; None if the model is not one that `LlamaStep` computes."""
        if self._frozen and self._step is not None:
            return self._step
        return LlamaStep(self.model) if LlamaStep.fits(self.model) else None

    @torch.inference_mode()
    def _sample_batch(
        self, prompts: list[Sequence[int]], params: SamplingParams, seeds: list[int], samples: list[Sample]
    ) -> list[Written]:
        """Fills `samples` in place. Returns what the prefix cache, if there is one, is to keep."""
        device = self.model.device
        stops, blank_lines = self._stops(params), self._blank_line_parts(params)
        # One entry for each row of the batch that is computed; finished rows are dropped from time to time.
        # Whether a blank line has begun, which the next token may complete.
        before = torch.zeros(len(prompts), dtype=torch.bool)
        streams = np.array([seed & (2**64 - 1) for seed in seeds], dtype=np.uint64)
        owners = torch.arange(len(prompts))  # which sample a row belongs to
        running = torch.ones(len(prompts), dtype=torch.bool)
        # One entry for each sample, whatever became of its row.
        tokens = torch.zeros(len(prompts), params.max_tokens, dtype=torch.long)
        logprobs = torch.zeros(len(prompts), params.max_tokens)
        lengths = torch.tensor([params.limit(i) for i in range(len(prompts))])
        limited = bool(params.limits)
        finished = torch.zeros(len(prompts), dtype=torch.bool)
        written: list[Written] = []

        def leave(rows: torch.Tensor) -> None:
            """Saves what the cache holds of rows that are about to be dropped."""
            if prefixes is not None and len(rows):
                of = owners[rows].tolist()
                new = [tokens[i, : int(lengths[i])].tolist() for i in of]
                written.append(prefixes.leave(cache, width, rows.tolist(), [prompts[i] for i in of], new))

        constrained = self._constrained(params, len(prompts))
        prefixes = self._prefixes if params.stop_at_step else None
        if prefixes is None:
            cache = BufferCache(self.model.config, capacity=max(map(len, prompts)) + params.max_tokens)
            logits, mask, positions = self._prefill(prompts, cache)
        else:
            cache, logits, mask, positions = self._continue(prefixes, prompts, params.max_tokens)
        width = cache.get_seq_length() - 1  # columns of the prompts but for their last token
        for position in range(params.max_tokens):
            # Finished rows that were not dropped yet are still sampled; `lengths` cuts off what they write.
            allowed = None if constrained is None else constrained.masked(logits)
            chosen, likely = draw(logits, params.temperature, uniforms(streams, position), allowed=allowed)
            if constrained is not None:
                constrained.accept(chosen)
            tokens[owners, position], logprobs[owners, position] = chosen, likely
            ends = stops[chosen]  # (rows,)
            if blank_lines is not None:
                begins, continues, completes = blank_lines[:, chosen]  # (rows,) each
                ends = ends | (before & completes)
                before = begins | (before & continues)
            stopped = running & ends
            ended = owners[stopped]
            lengths[ended], finished[ended] = position + 1, True
            if limited:
                stopped = stopped | (lengths[owners] <= position + 1)
            running &= ~stopped
            left = int(running.sum())
            if left == 0 or position + 1 == params.max_tokens:
                break
            if left <= (1 - COMPACT_AT) * len(running):
                leave(torch.nonzero(~running).squeeze(1))
                rows_left = torch.nonzero(running).squeeze(1)
                # Everything that has an entry for each row, on the CPU first and then on the device.
                owners, streams, running = owners[rows_left], streams[rows_left.numpy()], running[rows_left]
                if constrained is not None:
                    constrained.select(rows_left.tolist())
                before, chosen, rows_left = before[rows_left], chosen[rows_left], rows_left.to(device)
                positions = positions[rows_left]
                mask = None if mask is None else mask[rows_left]
                cache.select(rows_left)
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            logits = self._next(chosen.to(device), mask, positions, cache)
            positions = positions + 1
        leave(torch.arange(len(owners)))
        rows = zip(tokens.tolist(), logprobs.tolist(), lengths.tolist(), finished.tolist(), strict=True)
        for sample, (ids, likelihoods, length, whole) in zip(samples, rows, strict=True):
            sample.token_ids, sample.logprobs, sample.finished = ids[:length], likelihoods[:length], whole
        return written

    @torch.inference_mode()
    def _sample_shared(
        self, prompts: list[Sequence[int]], params: SamplingParams, seeds: list[int], samples: list[Sample]
    ) -> list[Written]:
        """As `_sample_batch`, of whole solutions: what samples begin with alike is computed once."""
        cache = BufferCache(self.model.config, capacity=max(map(len, prompts)) + params.max_tokens)
        logits, mask, positions, row = self._read_prompts(prompts, cache)
        rows = Rows(cache, logits, mask, positions)
        sample_shared(rows, row.cpu(), self._next, self._stops(params), params, seeds, samples)
        return []

    def _continue(
        self, prefixes: PrefixCache, prompts: list[Sequence[int]], new: int
    ) -> tuple[BufferCache, torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `_prefill`, but from the prefix cache: only the last token of each prompt is computed."""
        device = self.model.device
        cache, mask, positions = prefixes.begin(prompts, new)
        mask, positions = mask.to(device), positions.to(device)
        last = torch.tensor([prompt[-1] for prompt in prompts], device=device)
        return cache, self._next(last, mask, positions, cache), mask, positions + 1

    def _next(
        self, ids: torch.Tensor, mask: torch.Tensor | None, positions: torch.Tensor, cache: BufferCache
    ) -> torch.Tensor:
        """Logits after one more token a row, (rows, vocabulary), float32 on the CPU."""
        if self._last_position is not None:
            # Of rows that have ended and were not dropped yet: what is computed for them is cut off.
            positions = positions.clamp(max=self._last_position)
        if self._step is None:
            return self._forward(ids[:, None], mask, positions[:, None], cache)
        # (rows, width) of 0 and 1 -> (rows, 1, width) to be added to attention's logits
        bias = (
            None if mask is None else torch.zeros(mask.shape).masked_fill_(mask == 0, float("-inf"))[:, None]
        )
        return self._step(ids[:, None], positions[:, None], bias, cache)

    def _prefill(
        self, prompts: list[Sequence[int]], cache: BufferCache
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """Logits after each prompt (rows, vocabulary), mask (rows, width) or None without padding, next positions."""
        logits, mask, lengths, rows = self._read_prompts(prompts, cache)
        if len(logits) < len(prompts):
            # From a row for each distinct prompt to one for each sample: copying is far cheaper than reading again.
            cache.select(rows)
        # Rows of distinct prompts are in the order of first occurrence, so without repeats rows is 0, 1, 2, ...
        return logits[rows.cpu()], None if mask is None else mask[rows], lengths[rows]

    def _read_prompts(
        self, prompts: list[Sequence[int]], cache: BufferCache
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        """Reads each distinct prompt once.

        Returns of each of them, in the order of first occurrence, the logits after it (distinct, vocabulary), the mask
        (distinct, width) or None if nothing is padded, and the next position; and which of them each prompt is.
        """
        device = self.model.device
        distinct = {tuple(prompt): None for prompt in prompts}
        index = {prompt: i for i, prompt in enumerate(distinct)}
        width = max(map(len, distinct))
        # Padded on the left, so that all prompts end in one column and the next token is the same column for all.
        ids = torch.tensor([[0] * (width - len(p)) + list(p) for p in distinct], device=device)
        lengths = torch.tensor([len(p) for p in distinct], device=device)
        mask, positions = None, torch.arange(width, device=device)[None]
        if int(lengths.min()) < width:
            padding = width - lengths[:, None]
            mask = (positions >= padding).long()
            positions = (positions - padding).clamp(min=0)
        if self._step is None:
            logits = self._forward(ids, mask, positions, cache)
        else:
            # Padding sees itself: no row of the softmax is empty.
            seen = torch.ones(width, width, dtype=torch.bool).tril()
            if mask is not None:
                seen = seen & (mask[:, None] > 0) | torch.eye(width, dtype=torch.bool)
            # (width, width) without padding, else (distinct, width, width)
            bias = torch.zeros(seen.shape).masked_fill_(~seen, float("-inf"))
            logits = self._step(ids, positions.expand_as(ids), bias.expand(len(ids), width, width), cache)
        rows = torch.tensor([index[tuple(prompt)] for prompt in prompts], device=device)
        return logits, mask, lengths, rows

    def _forward(
        self, ids: torch.Tensor, mask: torch.Tensor | None, positions: torch.Tensor, cache: BufferCache
    ) -> torch.Tensor:
        """Logits after the last token of each row, (rows, vocabulary), float32 on the CPU."""
        output = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float().cpu()

    def _stops(self, params: SamplingParams) -> torch.Tensor:
        """Whether a token ends a sample, (vocabulary,)."""
        if not params.stop_at_step:
            return self._ends
        if self._newlines is None:
            known = len(self.tokenizer)
            self._newlines = torch.tensor(
                [i < known and ends_step(self.tokenizer, i) for i in range(len(self._ends))]
            )
        return self._ends | self._newlines

    def _blank_line_parts(self, params: SamplingParams) -> torch.Tensor | None:
        """(3, vocabulary): whether a token begins, continues or completes a blank line, which ends a paragraph."""
        if not params.stop_at_step or separator(self.tokenizer) == LINE:
            return None
        if self._blank_lines is None:
            known = len(self.tokenizer)
            parts = [
                blank_line_parts(self.tokenizer, i) if i < known else (False, False, False)
                for i in range(len(self._ends))
            ]
            self._blank_lines = torch.tensor(parts).T.contiguous()
        return self._blank_lines

    def _constrained(self, params: SamplingParams, rows: int) -> ConstrainedRows | None:
        if not params.pattern:
            return None
        ends = torch.nonzero(self._ends).flatten().tolist()
        return ConstrainedRows(params.pattern, rows, self.tokenizer, len(self._ends), ends)

    # -- scoring ------------------------------------------------------------------------------------------

    def logprobs(
        self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]
    ) -> list[list[float]]:
        """Log-probability at temperature 1 of every token after each sequence's prompt, given all before it."""
        result: list[list[float]] = [[] for _ in sequences]
        training = self.model.training
        self.model.eval()

        @torch.inference_mode()
        def fill(rows: list[int]) -> None:
            width = len(sequences[rows[0]])
            # (rows, width); the token in column c is predicted by the logits of column c - 1.
            ids = torch.tensor([list(sequences[i]) + [0] * (width - len(sequences[i])) for i in rows])
            ids = ids.to(self.model.device)
            # No mask: padding is on the right, where a causal model never looks.
            logits = self.model(input_ids=ids, use_cache=False).logits[:, :-1].float()
            chosen = logits.gather(2, ids[:, 1:, None]).squeeze(2) - logits.logsumexp(2)
            for i, row in zip(rows, chosen.tolist(), strict=True):
                result[i] = row[prompt_lengths[i] - 1 : len(sequences[i]) - 1]

        map_batches(fill, list(_by_length([len(s) for s in sequences], self.batch_size)))
        self.model.train(training)
        return result


def _by_length(lengths: list[int], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of near equal length, longest first."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
