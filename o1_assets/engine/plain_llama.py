"""A small Llama for reading and sampling on a CPU, without transformers' models, whose import takes some 4 s.

Its results are those of transformers' Llama with `FusedLlama`, bit by bit: the layers are the same TorchScript call,
and after a cache the same operators in the same order. It cannot be trained or saved.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from o1_assets.engine.llama_layers import NAMES, Layers, attention_bias, fits, signed

Head = Literal["LlamaForCausalLM", "LlamaForTokenClassification"]

# Keys of config.json that decide what is computed. One that is missing has a default, which only transformers knows.
NEEDED = {
    "attention_bias",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "mlp_bias",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "tie_word_embeddings",
    "vocab_size",
}
WEIGHTS = "model.safetensors"


class PlainConfig(SimpleNamespace):
    """config.json as attributes, as transformers' configurations have them."""

    @property
    def num_labels(self) -> int:
        return len(getattr(self, "id2label", {}))

    def get_text_config(self) -> PlainConfig:
        return self


class Decoder(nn.Module):
    """Embedding, layers and the last norm. Parameters are called as in transformers' checkpoints."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        hidden, inner = config.hidden_size, config.intermediate_size
        width = config.num_attention_heads * config.head_dim
        self.embed_tokens = Table(config.vocab_size, hidden)
        self.layers: Any = nn.ModuleList()
        for _ in range(config.num_hidden_layers):
            layer: Any = nn.Module()
            layer.input_layernorm, layer.post_attention_layernorm = Scale(hidden), Scale(hidden)
            layer.self_attn, layer.mlp = nn.Module(), nn.Module()
            for name in ("q_proj", "k_proj", "v_proj"):
                setattr(layer.self_attn, name, Matrix(hidden, width))
            layer.self_attn.o_proj = Matrix(width, hidden)
            layer.mlp.gate_proj = Matrix(hidden, inner)
            layer.mlp.up_proj = Matrix(hidden, inner)
            layer.mlp.down_proj = Matrix(inner, hidden)
            self.layers.append(layer)
        self.norm = Scale(hidden)

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool | None = False,
    ) -> SimpleNamespace:
        """last_hidden_state (rows, new, hidden). Masks are those that LlamaModel takes; a cache needs one,
        for the columns of the cache too."""
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        rows, new, _ = x.shape
        if position_ids is None:
            position_ids = torch.arange(new)[None]
        cos, sin = self.rotary_emb(x, position_ids.expand(rows, new))
        if past_key_values is not None:
            return SimpleNamespace(
                last_hidden_state=self._after_cache(x, cos, sin, attention_mask, past_key_values)
            )
        shape = (rows, new, self.config.num_attention_heads)
        bias, weights = attention_bias(attention_mask, *shape), self._weights()
        hidden = Layers.apply(
            x, *signed(cos, sin), bias, self.config.rms_norm_eps, shape, torch.float32, *weights
        )
        return SimpleNamespace(last_hidden_state=hidden)

    def rotary_emb(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine (rows, new, width) of positions (rows, new)."""
        width = self.config.head_dim
        base = self.config.rope_parameters["rope_theta"]
        frequencies = 1.0 / (base ** (torch.arange(0, width, 2, dtype=torch.float) / width))
        angles = positions[..., None].float() * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()

    def _weights(self) -> list[Tensor]:
        """In the order of `Layers`."""
        weights: list[Tensor] = []
        for layer in self.layers:
            parts = {**layer._modules, **layer.self_attn._modules, **layer.mlp._modules}
            weights += [parts[name].weight for name in NAMES]
        return [*weights, self.norm.weight]

    def _after_cache(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Any) -> Tensor:
        """As LlamaModel with attention by torch ("sdpa")."""
        assert mask is not None, "after a cache nothing else says which of its columns are seen"
        rows, new, _ = x.shape
        seen = mask if mask.dim() == 4 else _seen(mask.bool(), new)
        shape = (rows, new, -1, self.config.head_dim)
        cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
        for layer, kept in zip(self.layers, cache.buffers, strict=True):
            attention, mlp = layer.self_attn, layer.mlp
            normed = self._norm(layer.input_layernorm, x)
            # (rows, heads, new, width) each
            query, key, value = (
                project(normed).view(shape).transpose(1, 2)
                for project in (attention.q_proj, attention.k_proj, attention.v_proj)
            )
            query = query * cos + _swapped(query) * sin
            key = key * cos + _swapped(key) * sin
            key, value = kept.update(key, value)
            attended = nn.functional.scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask=seen,
                is_causal=seen is None and new > 1,
                scale=self.config.head_dim**-0.5,
            )
            x = x + attention.o_proj(attended.transpose(1, 2).contiguous().reshape(rows, new, -1))
            normed = self._norm(layer.post_attention_layernorm, x)
            x = x + mlp.down_proj(nn.functional.silu(mlp.gate_proj(normed)) * mlp.up_proj(normed))
        return self._norm(self.norm, x)

    def _norm(self, scale: Scale, x: Tensor) -> Tensor:
        variance = x.pow(2).mean(-1, keepdim=True)
        return scale.weight * (x * torch.rsqrt(variance + self.config.rms_norm_eps))


# torch's own modules draw their weights at first, which takes as long as the rest.


class Scale(nn.Module):
    """The weight of an RMSNorm."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(hidden))


class Table(nn.Module):
    """An embedding."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, width))

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(ids, self.weight)


class Matrix(nn.Module):
    """A linear map."""

    def __init__(self, width: int, out: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, width))
        self.bias = nn.Parameter(torch.empty(out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class PlainLlama(nn.Module):
    """A language model, or a token classifier, as `config.architectures` says."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        if config.architectures == ["LlamaForCausalLM"]:
            self.lm_head = Matrix(config.hidden_size, config.vocab_size)
        else:
            self.score = Matrix(config.hidden_size, config.num_labels, bias=True)
        self.generation_config: Any = SimpleNamespace(eos_token_id=getattr(config, "eos_token_id", None))

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    @property
    def base_model(self) -> Decoder:
        return self.model

    def get_input_embeddings(self) -> nn.Module:
        return self.model.embed_tokens

    def get_output_embeddings(self) -> nn.Module | None:
        return getattr(self, "lm_head", None)

    def forward(
        self, input_ids: Tensor | None = None, logits_to_keep: int = 0, **options: Any
    ) -> SimpleNamespace:
        """logits (rows, new, vocabulary or classes), of the last `logits_to_keep` tokens unless that is 0. options: of
        `Decoder.forward`."""
        hidden = self.model(input_ids, **options).last_hidden_state[:, -logits_to_keep:]
        head = self.get_output_embeddings() or self.score
        return SimpleNamespace(logits=head(hidden))


def open_plain_llama(path: Path, head: Head) -> PlainLlama | None:
    """The checkpoint in a folder that may be opened, in evaluation mode; None where transformers has to compute it."""
    config = PlainConfig(**json.loads((path / "config.json").read_bytes()))
    known = vars(config)
    needed = NEEDED | ({"id2label"} if head == "LlamaForTokenClassification" else set())
    if known.get("architectures") != [head] or not known.keys() >= needed or "quantization_config" in known:
        return None
    if config.tie_word_embeddings or known.get("dtype") != "float32" or not (path / WEIGHTS).is_file():
        return None
    # 4 bytes a parameter, and some kilobytes of names.
    if torch.cuda.is_available() or not fits(config, (path / WEIGHTS).stat().st_size // 4):
        return None
    model = PlainLlama(config)
    # Copied into tensors of its own: where the weights begin in the file is no multiple of what the kernels align to.
    model.load_state_dict(load_file(path / WEIGHTS))
    if (path / "generation_config.json").is_file():
        saved = json.loads((path / "generation_config.json").read_bytes())
        model.generation_config = SimpleNamespace(eos_token_id=saved.get("eos_token_id"))
    return model.eval()


def _seen(padded: Tensor, new: int) -> Tensor | None:
    """What new tokens see, (rows, 1, new, columns), from whether a column is no padding, (rows, columns).

    None where torch's own causal mask says it: as in transformers, because its kernel has other last bits.
    """
    columns = padded.shape[1]
    if (new == 1 or columns == new) and bool(padded.all()):
        return None
    causal = torch.ones(new, columns, dtype=torch.bool).tril(columns - new)
    return causal & padded[:, None, None, :]


def _swapped(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)
