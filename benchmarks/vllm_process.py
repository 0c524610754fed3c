"""vLLM's side of `sampler_vs_vllm`, in the environment that has it: a line of JSON in, the number of tokens out.

The first line names the checkpoint, the prompts and the longest sample; every further one asks for one sample of each.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    # vLLM writes to stdout too, which is where the numbers go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    start = json.loads(sys.stdin.readline())
    os.environ.update(
        VLLM_ENABLE_V1_MULTIPROCESSING="0",
        VLLM_CPU_OMP_THREADS_BIND="nobind",
        VLLM_LOGGING_LEVEL="ERROR",
        VLLM_NO_USAGE_STATS="1",
    )
    sample = sampler(start)
    sample()
    answers.write("0\n")
    answers.flush()
    for _ in sys.stdin:
        answers.write(f"{sample()}\n")
        answers.flush()


def sampler(start: dict[str, Any]) -> Any:
    """A function that samples every prompt once and returns how many tokens were written."""
    import torch
    from vllm import LLM, SamplingParams

    count = len(start["prompts"])
    llm = LLM(
        model=start["folder"],
        dtype="float32",
        block_size=32,  # the least that its CPU attention has
        enforce_eager=start["eager"],
        enable_prefix_caching=False,
        max_num_seqs=count,
        kv_cache_memory_bytes=2**29,
        generation_config="vllm",
        use_tqdm_on_load=False,
        load_format="safetensors",
        disable_log_stats=True,
    )
    torch.set_num_threads(start["threads"])
    prompts = [{"prompt_token_ids": prompt} for prompt in start["prompts"]]
    parameters = SamplingParams(max_tokens=start["longest"], temperature=1.0, detokenize=False)

    def sample() -> int:
        outputs = llm.generate(prompts, parameters, use_tqdm=False)
        return sum(len(output.outputs[0].token_ids) for output in outputs)

    return sample


if __name__ == "__main__":
    main()
