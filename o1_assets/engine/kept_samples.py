"""Long samplings of larger models, kept part by part: a killed computation goes on after the last part.

    unfinished/<cache key>/samples/<digest of what was asked>.json

A call is always cut at the same places, kept or not, because which samples meet in a batch decides the last bits of
their log-probabilities. Nothing is kept of small models, whose longest call takes seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from o1_assets.core.engine import Engine, Sample, SamplingParams
from o1_assets.core.files import replace_file

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FEWEST_PARAMETERS = 10_000_000
# Samples of a part: on a CPU a minute or two of a model of 100M parameters. A part ends with half-empty batches, so
# vLLM, which makes large ones, names a larger number (`VllmEngine.part`).
PART = 512


def keeping_samples(
    open_engine: Callable[[Path], Engine], folder: Path | None, progress: Callable[[str], None]
) -> Callable[[Path], Engine]:
    """`open_engine` for one computation. folder: where it keeps its samples until it is finished; None: nowhere."""

    def opened(path: Path) -> Engine:
        engine = open_engine(path)
        if engine.parameters < FEWEST_PARAMETERS:
            return engine
        return KeptSamples(engine, str(path), folder / "samples" if folder else None, progress)

    return opened


class KeptSamples:
    """An engine that does what `engine` does. model: what is sampled, for telling two models' samples apart."""

    def __init__(
        self, engine: Engine, model: str, folder: Path | None, progress: Callable[[str], None]
    ) -> None:
        self._engine, self._model, self._folder, self._progress = engine, model, folder, progress
        self.tokenizer: PreTrainedTokenizerBase = engine.tokenizer
        self.parameters, self.constrains = engine.parameters, engine.constrains
        self._part = int(getattr(engine, "part", PART))

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        """As `Engine.sample`, a part after the other."""
        if len(prompts) <= self._part or len(prompts) != len(seeds):
            return self._engine.sample(prompts, params, seeds)
        samples: list[Sample] = []
        for start in range(0, len(prompts), self._part):
            part = slice(start, start + self._part)
            limits = params.limits[part] if params.limits else ()
            samples += self._sample(prompts[part], replace(params, limits=limits), seeds[part])
            self._progress(f"{len(samples)} of {len(prompts)} samples")
        return samples

    def _sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        if self._folder is None:
            return self._engine.sample(prompts, params, seeds)
        asked = [self._model, [list(prompt) for prompt in prompts], asdict(params), list(seeds)]
        file = self._folder / f"{hashlib.sha256(msgspec.json.encode(asked)).hexdigest()}.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=list[Sample])
        except (OSError, msgspec.DecodeError):
            samples = self._engine.sample(prompts, params, seeds)
        try:
            replace_file(file, msgspec.json.encode(samples))
        except OSError as error:
            self._progress(f"samples could not be kept ({error}): if killed, it samples them again")
        return samples

    def logprobs(
        self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]
    ) -> list[list[float]]:
        return self._engine.logprobs(sequences, prompt_lengths)

    def prefix_cache(self) -> AbstractContextManager[None]:
        return self._engine.prefix_cache()

    def close(self) -> None:
        self._engine.close()
