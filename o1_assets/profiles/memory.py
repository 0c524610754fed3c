"""What a stage of the qwen profile holds in a GPU's memory, counted from the model's shape. docs/qwen.md shows it.

Bytes, by what they are for. Left out: CUDA's own 0.5 GB or so and what the allocator cannot use of its blocks
(together some 5 to 10%), and temporary buffers of single operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from o1_assets.training.config import TuningConfig

ADAMW = 8
"""Bytes a trained parameter: two moments in float32."""
LOGITS = 2 + 4 + 4
"""Bytes a token and word of the vocabulary: in bfloat16 as the head gives them, in float32, and their gradient."""


@dataclass(frozen=True)
class Shape:
    """A Qwen2 model: its queries, keys and values have biases, its other layers none."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool

    def linears(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each linear layer of a decoder layer."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, q), "k_proj": (self.hidden, kv), "v_proj": (self.hidden, kv),
            "o_proj": (q, self.hidden), "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate), "down_proj": (self.intermediate, self.hidden),
        }  # fmt: skip

    def parameters(self) -> int:
        biases = (self.heads + 2 * self.kv_heads) * self.head_dim
        layer = sum(a * b for a, b in self.linears().values()) + biases + 2 * self.hidden
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return self.layers * layer + self.hidden + embeddings

    def lora_parameters(self, rank: int, targets: tuple[str, ...]) -> int:
        return self.layers * sum(rank * sum(self.linears()[name]) for name in targets)

    def kv_bytes(self) -> int:
        """Keys and values of one token, in bfloat16."""
        return 2 * 2 * self.layers * self.kv_heads * self.head_dim


SHAPES: Mapping[str, Shape] = {
    "1.5B": Shape(28, 1536, 8960, 12, 2, 128, 151_936, tied=True),
    "7B": Shape(28, 3584, 18_944, 28, 4, 128, 152_064, tied=False),
}


def training_bytes(
    shape: Shape, tuning: TuningConfig, tokens: int, with_logits: bool = True
) -> dict[str, int]:
    """One model that is trained on sequences of `tokens` tokens, tuning.micro_batch at a time.

    with_logits: a language model, whose head gives a number for every word; reward models give two or three.
    """
    width = 4 if tuning.weights == "float32" else 2
    size = shape.parameters()
    lora = tuning.lora
    trained = size if lora is None else shape.lora_parameters(lora.rank, lora.targets)
    rows = tuning.micro_batch or 1
    residual = width
    inputs = shape.layers * rows * tokens * shape.hidden * residual
    # Of the one layer that is computed again: its linear layers' inputs and outputs, and the norms.
    inside = rows * tokens * (2 * (8 * shape.hidden + 4 * shape.intermediate))
    if not tuning.gradient_checkpointing:
        inputs, inside = 0, inside * shape.layers
    return {
        "weights": size * width + (0 if lora is None else trained * 4),
        "gradients": trained * 4,
        "optimizer": trained * ADAMW,
        "activations": inputs + inside,
        "logits": rows * tokens * shape.vocabulary * LOGITS if with_logits else 0,
    }


def policy_bytes(shape: Shape, tuning: TuningConfig, tokens: int, cache: int) -> dict[str, int]:
    """RL: the policy in training, the PRM and the ORM that reward it, and the keys and values of what it samples.

    cache: bytes that the sampler gives them at most.
    """
    width = 4 if tuning.weights == "float32" else 2
    return {
        **training_bytes(shape, tuning, tokens),
        "reward models": 2 * shape.parameters() * width,
        "kv cache": cache,
    }


def gib(held: Mapping[str, int]) -> float:
    return sum(held.values()) / 2**30
