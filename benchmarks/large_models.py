"""A Llama of SmolLM2-135M's size on CPUs: what share of the processor's own product sampling, scoring and training
reach, in CPU time and on one thread, so that other programs on the machine change little.

The weights are random, which costs the same; one token in thirty ends a sample. Each is measured in turn with the
product of two square matrices of 1024 in float32 (`@`). FLOPs are those of the weights, the
language-model head included where it is computed; attention counts as overhead, and so does what is padding.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from statistics import median
from types import SimpleNamespace
from typing import Any

from benchmarks.registry import Figure

NAME = "large_sampling_share"
REPETITIONS = 3
VOCABULARY, PROBLEMS, SAMPLES, PROMPT, EXAMPLES, LONGEST = 49_152, 16, 8, 60, 100, 40
SIDE = 1024


def compare() -> Mapping[str, Figure]:
    import torch

    torch.manual_seed(0)
    # Threads of torch that wait for each other spin, which counts as CPU time.
    torch.set_num_threads(1)
    runs = {**_sampling(), **_reading()}
    shares: dict[str, list[float]] = {name: [] for name in runs}
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for repetition in range(REPETITIONS):
        for name, run in runs.items():
            before = _product()
            started = time.process_time()
            flops = run(repetition)
            rate = flops / (time.process_time() - started)
            product = (before + _product()) / 2
            shares[name].append(rate / product)
            rates[name].append(rate / 1e9)
            print(f"  {name:28} {rate / 1e9:5.0f} of {product / 1e9:.0f} GFLOP a CPU-second", flush=True)
    return {
        name: Figure(
            median(own),
            max(own) - min(own),
            "of the product",
            f"at least .5 (the plain sampler: what was before); {median(rates[name]):.0f} GFLOP a CPU-second",
        )
        for name, own in shares.items()
    }


def _product() -> float:
    """FLOPs a CPU-second."""
    import torch

    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    started = time.process_time()
    for _ in range(5):
        a @ b
    return 5 * 2 * SIDE**3 / (time.process_time() - started)


def _config(**options: Any) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, rms_norm_eps=1e-5, max_position_embeddings=2048, **options,
    )  # fmt: skip


def _texts(problems: int, samples: int, common: int, new: int) -> list[list[int]]:
    """For each of so many problems its prompt with several continuations of `new` tokens."""
    draw = random.Random(0)

    def some(tokens: int) -> list[int]:
        return [draw.randrange(VOCABULARY) for _ in range(tokens)]

    begin = some(common)
    prompts = [begin + some(draw.randint(PROMPT // 2, PROMPT * 3 // 2)) for _ in range(problems)]
    return [prompt + some(new) for prompt in prompts for _ in range(samples)]


def _sampling() -> dict[str, Callable[[int], float]]:
    import torch
    from transformers import LlamaForCausalLM

    from o1_assets.core.engine import SamplingParams
    from o1_assets.core.flops import FORWARD
    from o1_assets.engine import large_llama
    from o1_assets.engine.transformers_engine import TransformersEngine

    model: Any = LlamaForCausalLM(_config(tie_word_embeddings=True)).eval()
    model.generation_config.eos_token_id = list(range(0, VOCABULARY, 30))
    prompts = _texts(PROBLEMS, SAMPLES, EXAMPLES, 0)
    read = sum(len(prompt) for prompt in prompts[::SAMPLES]) - EXAMPLES * (PROBLEMS - 1)
    tokenizer: Any = SimpleNamespace(eos_token_id=0)
    smallest = large_llama.FEWEST_PARAMETERS

    def sample(dtype: torch.dtype, fewest: int) -> Callable[[int], float]:
        engine = TransformersEngine(model, tokenizer)
        engine._products = dtype
        large_llama.FEWEST_PARAMETERS = fewest
        engine.sample(prompts[:4], SamplingParams(3), range(4))  # compiles

        def run(repetition: int) -> float:
            large_llama.FEWEST_PARAMETERS = fewest
            seeds = [repetition * len(prompts) + i for i in range(len(prompts))]
            new = sum(len(s.token_ids) for s in engine.sample(prompts, SamplingParams(LONGEST, 0.8), seeds))
            engine._step = None  # it holds the weights once more
            head = model.lm_head.weight.numel()
            return FORWARD * (engine.parameters * (read + new) + head * new)

        return run

    return {
        NAME: sample(torch.float32, smallest),
        "large_sampling_bfloat16_share": sample(torch.bfloat16, smallest),
        "large_sampling_plain_share": sample(torch.float32, 10**12),
    }


def _reading() -> dict[str, Callable[[int], float]]:
    """A PRM on the packed solutions of four problems, its training, and SFT with a loss on the solutions alone."""
    import torch
    from transformers import LlamaForCausalLM, LlamaForTokenClassification

    from o1_assets.core.flops import FORWARD, FORWARD_AND_BACKWARD, non_embedding_parameters
    from o1_assets.reward.model import RewardModel
    from o1_assets.reward.tree import collate, pack

    reward: Any = RewardModel(LlamaForTokenClassification(_config(num_labels=3)))
    trained = [p for p in reward.parameters() if p is not reward.backbone.get_input_embeddings().weight]
    parameters = non_embedding_parameters(reward.backbone)
    rows = pack(_texts(2, 4, 0, LONGEST), 256)
    inputs = collate(rows)
    tokens = sum(map(len, rows))
    model: Any = LlamaForCausalLM(_config(tie_word_embeddings=True)).train()
    texts = _texts(4, 1, 0, LONGEST)
    width = max(map(len, texts))
    ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
    labels = torch.full_like(ids, -100)
    for row, text in enumerate(texts):
        labels[row, len(text) - LONGEST : len(text)] = ids[row, len(text) - LONGEST : len(text)]

    def score(repetition: int) -> float:
        with torch.inference_mode():
            reward(**inputs)
        return FORWARD * parameters * tokens

    def train_prm(repetition: int) -> float:
        classes = torch.randint(0, 3, inputs["input_ids"].shape)
        torch.autograd.grad(reward(**inputs, labels=classes)["loss"], trained)
        return FORWARD_AND_BACKWARD * parameters * tokens

    def train_sft(repetition: int) -> float:
        torch.autograd.grad(model(input_ids=ids, labels=labels).loss, list(model.parameters()))
        head = model.lm_head.weight.numel() * len(texts) * LONGEST
        return FORWARD_AND_BACKWARD * (parameters * sum(map(len, texts)) + head)

    return {"large_scoring_share": score, "large_prm_training_share": train_prm, "large_sft_share": train_sft}
