"""Counts a decoder's parameters from its shape, without opening it: Llama, Qwen2 and others with a gated MLP."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class DecoderShape:
    """The numbers of a model's config.json that determine its size.

    width: of the residual stream. inner: of the gated MLP. The heads share their keys and values in `kv_heads` groups.
    qkv_bias: whether query, key and value projections have biases (Qwen2). tied: one matrix for embedding and head.
    """

    width: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool
    qkv_bias: bool = False
    head_size: int | None = None

    @property
    def head_dim(self) -> int:
        return self.head_size or self.width // self.heads

    @property
    def non_embedding(self) -> int:
        """P of `core/flops.py`: all parameters except the token embedding and the language-model head."""
        bias = (self.heads + 2 * self.kv_heads) * self.head_dim if self.qkv_bias else 0
        # Two RMS norms a layer, and one at the end, have a weight for each dimension of the residual stream.
        layer = sum(a * b for a, b in self.linears().values()) + bias + 2 * self.width
        return self.layers * layer + self.width

    @property
    def total(self) -> int:
        return self.non_embedding + (1 if self.tied else 2) * self.vocabulary * self.width

    def linears(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each linear layer of a decoder layer."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.width, q), "k_proj": (self.width, kv), "v_proj": (self.width, kv),
            "o_proj": (q, self.width), "gate_proj": (self.width, self.inner),
            "up_proj": (self.width, self.inner), "down_proj": (self.inner, self.width),
        }  # fmt: skip

    def lora_parameters(self, rank: int, targets: tuple[str, ...]) -> int:
        return self.layers * sum(rank * sum(self.linears()[name]) for name in targets)

    def kv_bytes(self) -> int:
        """Keys and values of one token, in bfloat16."""
        return 2 * 2 * self.layers * self.kv_heads * self.head_dim


# From the config.json of each model's repository on the Hub, by its name there, in lower case.
SHAPES = {
    "smollm2-135m": DecoderShape(576, 1536, 30, 9, 3, 49152, tied=True),
    "smollm2-360m": DecoderShape(960, 2560, 32, 15, 5, 49152, tied=True),
    "smollm2-1.7b": DecoderShape(2048, 8192, 24, 32, 32, 49152, tied=True),
    "qwen2.5-math-1.5b": DecoderShape(1536, 8960, 28, 12, 2, 151936, tied=True, qkv_bias=True),
    "qwen2.5-math-7b": DecoderShape(3584, 18944, 28, 28, 4, 152064, tied=False, qkv_bias=True),
}


def shape_from(base: BaseModel) -> DecoderShape | None:
    """The shape of a published base model, by its name or from the config.json in its folder; else None."""
    shape = named_shape(_texts(base.model_dump()))
    # By the name first: a plan is made before anything was downloaded.
    folder = getattr(base, "folder", None)
    if shape is None and folder:
        shape = read_shape(Path(folder) / "config.json")
    return shape


def named_shape(texts: Iterable[str]) -> DecoderShape | None:
    """The shape of the model that one of the texts names, as "Qwen/Qwen2.5-Math-7B-Instruct" does; else None."""
    for text in texts:
        name = text.rpartition("/")[2].lower()
        # The hyphen keeps "Qwen2.5-Math-72B" from passing for the 7B model.
        for known in SHAPES:
            if f"{name}-".startswith(f"{known}-"):
                return SHAPES[known]
    return None


def read_shape(file: Path) -> DecoderShape | None:
    """The shape in a checkpoint's config.json; None if there is none, or if it is of another kind of model."""
    try:
        content = json.loads(file.read_bytes())
        heads = int(content["num_attention_heads"])
        return DecoderShape(
            width=int(content["hidden_size"]),
            inner=int(content["intermediate_size"]),
            layers=int(content["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(content.get("num_key_value_heads") or heads),
            vocabulary=int(content["vocab_size"]),
            tied=bool(content.get("tie_word_embeddings", True)),
            qkv_bias=str(content.get("model_type", "")).startswith("qwen2"),
            head_size=content.get("head_dim"),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _texts(value: Any) -> list[str]:
    """Every string in a configuration, its defaults included."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []
