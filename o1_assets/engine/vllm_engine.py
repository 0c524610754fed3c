"""The same interface on vLLM, for models that deserve a GPU. Needs the extra `o1-assets[vllm]`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.engine.checkpoint import load_config, load_tokenizer
from o1_assets.engine.interface import Sample, SamplingParams
from o1_assets.engine.steps import ends_step
from o1_assets.flops import non_embedding_parameters

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class VllmEngine:
    """A checkpoint served by vLLM in this process."""

    tokenizer: PreTrainedTokenizerBase

    def __init__(self, path: Path, **options: Any) -> None:
        from transformers import AutoModelForCausalLM
        from vllm import LLM

        self.tokenizer = load_tokenizer(path)
        self._llm: Any = LLM(
            model=str(path),
            load_format="safetensors",
            enable_prefix_caching=True,
            logprobs_mode="raw_logprobs",
            **options,
        )
        import torch

        with torch.device("meta"):
            self.parameters = non_embedding_parameters(AutoModelForCausalLM.from_config(load_config(path)))
        self._newlines = [i for i in range(len(self.tokenizer)) if ends_step(self.tokenizer, i)]

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        """One sample for each prompt. Reproducible for a seed on one machine; batches may move the last bits."""
        from vllm import SamplingParams as VllmParams

        requests = [
            VllmParams(
                max_tokens=params.max_tokens,
                temperature=params.temperature,
                seed=seed,
                logprobs=0,
                stop_token_ids=self._newlines if params.stop_at_step else None,
            )
            for seed in seeds
        ]
        outputs = self._llm.generate(
            [{"prompt_token_ids": list(p)} for p in prompts], requests, use_tqdm=False
        )
        samples = []
        for output in outputs:
            completion = output.outputs[0]
            ids = list(completion.token_ids)
            logprobs = [step[token].logprob for step, token in zip(completion.logprobs, ids, strict=True)]
            samples.append(Sample(ids, logprobs, completion.finish_reason == "stop"))
        return samples

    def logprobs(
        self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]
    ) -> list[list[float]]:
        """Log-probability of every token after each sequence's prompt, given all before it."""
        from vllm import SamplingParams as VllmParams

        score = VllmParams(max_tokens=1, temperature=0, prompt_logprobs=0)
        outputs = self._llm.generate(
            [{"prompt_token_ids": list(s)} for s in sequences], score, use_tqdm=False
        )
        return [
            [
                entry[token].logprob
                for entry, token in zip(output.prompt_logprobs[start:], sequence[start:], strict=True)
            ]
            for output, sequence, start in zip(outputs, sequences, prompt_lengths, strict=True)
        ]

    def remember(self) -> AbstractContextManager[None]:
        """Nothing to do: vLLM keeps prefixes by itself (enable_prefix_caching)."""
        return nullcontext()

    def close(self) -> None:
        self._llm = None
