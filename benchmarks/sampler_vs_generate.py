"""Our sampler against `transformers.generate`: baby-o1, 256 prompts in one call, temperature 1, KV cache, two cores.

`generate` in the best of three settings: torch with one thread, with two, and two calls of half the batch in two
Python threads with one torch thread each, which is how our sampler uses two cores. Tokens after a solution's end are
not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.race import race_rates, times_as_many
from benchmarks.registry import Figure

NAME = "sampler_vs_generate"


BATCH, REPETITIONS = 256, 15


def compare() -> Mapping[str, Figure]:
    import torch

    from benchmarks.models import POLICY, finished
    from benchmarks.training_race import plain_model
    from o1_assets.core.engine import SamplingParams
    from o1_assets.core.parallel import map_batches
    from o1_assets.engine.transformers_engine import TransformersEngine

    with finished(BATCH) as given:
        engine = TransformersEngine.open(given.folders[POLICY])
        tokenizer: Any = engine.tokenizer
        # Ours opens a checkpoint without transformers' models, which alone have `generate`.
        model = plain_model(given.folders[POLICY]).eval()
        longest = given.prompt.max_tokens
    prompts = [tokenizer.encode(prompt, add_special_tokens=False) for prompt in given.prompts]
    end: Any = tokenizer.eos_token_id
    inputs: Any = tokenizer.pad({"input_ids": prompts}, return_tensors="pt", padding_side="left")
    options: dict[str, Any] = {
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "use_cache": True,
    }

    def ours(repetition: int) -> int:
        seeds = [repetition * BATCH + i for i in range(BATCH)]
        return sum(len(s.token_ids) for s in engine.sample(prompts, SamplingParams(longest), seeds))

    def generated(rows: slice) -> int:
        part = {name: tensor[rows] for name, tensor in inputs.items()}
        with torch.inference_mode():
            out = model.generate(**part, max_new_tokens=longest, pad_token_id=0, **options)
        new = out[:, part["input_ids"].shape[1] :]
        ended = new == end
        return int(torch.where(ended.any(1), ended.int().argmax(1) + 1, new.shape[1]).sum())

    def theirs(threads: int) -> Callable[[int], int]:
        def sample(repetition: int) -> int:
            torch.manual_seed(repetition)
            torch.set_num_threads(threads)
            try:
                return generated(slice(BATCH))
            finally:
                torch.set_num_threads(2)

        return sample

    def halves(repetition: int) -> int:
        torch.manual_seed(repetition)
        return sum(map_batches(generated, [slice(BATCH // 2), slice(BATCH // 2, BATCH)]))

    contenders = {
        "ours": ours,
        "generate, 1 thread": theirs(1),
        "generate, 2 threads": theirs(2),
        "generate, two halves": halves,
    }
    rates = race_rates(contenders, REPETITIONS)
    return {NAME: times_as_many(rates, f"at least 6; batch {BATCH}")}
