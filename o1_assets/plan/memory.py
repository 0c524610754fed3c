"""Counts what a stage holds in a GPU's memory from the model's shape. docs/qwen.md shows it for the profile qwen.

All functions return bytes by purpose. Left out are CUDA's own 0.5 GB or so, what the allocator cannot use of its
blocks (together some 5 to 10%), and temporary buffers of single operators.
"""

from __future__ import annotations

from collections.abc import Mapping

from o1_assets.core.shape import SHAPES as KNOWN
from o1_assets.core.shape import DecoderShape
from o1_assets.engine.training.config import TuningConfig

# Bytes for each trained parameter: AdamW's two moments in float32.
ADAMW = 8

# Bytes for each token and vocabulary entry: logits in bfloat16 from the head, in float32, and their gradient.
LOGITS = 2 + 4 + 4

# By the profile's `size`.
SHAPES: Mapping[str, DecoderShape] = {size: KNOWN[f"qwen2.5-math-{size.lower()}"] for size in ("1.5B", "7B")}


def training_bytes(
    shape: DecoderShape, tuning: TuningConfig, tokens: int, with_logits: bool = True
) -> dict[str, int]:
    """One model that is trained on sequences of `tokens` tokens, tuning.micro_batch at a time.

    with_logits: a language model, whose head gives a number for every word; reward models give two or three.
    """
    width = 4 if tuning.weights == "float32" else 2
    size = shape.total
    # LoRA keeps its own matrices in float32 and leaves the rest without gradients and moments.
    lora = tuning.lora
    trained = size if lora is None else shape.lora_parameters(lora.rank, lora.targets)
    rows = tuning.micro_batch or 1
    residual = width
    inputs = shape.layers * rows * tokens * shape.width * residual
    # With checkpointing one layer at a time is computed again: inputs and outputs of its linear layers, and the norms.
    inside = rows * tokens * (2 * (8 * shape.width + 4 * shape.inner))
    # Without checkpointing every layer keeps its inside for the backward pass, its input among it.
    if not tuning.gradient_checkpointing:
        inputs, inside = 0, inside * shape.layers
    return {
        "weights": size * width + (0 if lora is None else trained * 4),
        "gradients": trained * 4,
        "optimizer": trained * ADAMW,
        "activations": inputs + inside,
        "logits": rows * tokens * shape.vocabulary * LOGITS if with_logits else 0,
    }


def policy_bytes(shape: DecoderShape, tuning: TuningConfig, tokens: int, cache: int) -> dict[str, int]:
    """RL: the policy in training, the PRM and the ORM that reward it, and the keys and values of what it samples.

    cache: bytes that the sampler gives them at most.
    """
    width = 4 if tuning.weights == "float32" else 2
    return {
        **training_bytes(shape, tuning, tokens),
        "reward models": 2 * shape.total * width,
        "kv cache": cache,
    }


def gib(held: Mapping[str, int]) -> float:
    return sum(held.values()) / 2**30
