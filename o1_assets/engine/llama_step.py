"""The next tokens of every row of a batch, computed for a Llama on a CPU with as few operators as it takes.

In a model of under a million parameters an operator is mostly overhead. So what is multiplied with the same input is
one matrix, norms' weights and attention's scale are part of the matrices, and attention of a few queries is two
batched products instead of a flash kernel. Results are those of the model up to the last bits.
"""

from __future__ import annotations

from typing import Any

import torch

from o1_assets.engine.cache import BufferCache
from o1_assets.engine.next_token import without_the_lock

MOST_PARAMETERS = 200_000_000
"""Weights are held twice here. 40 samples at a time of a model of 135M took two thirds of the model's own time; what
is larger was not measured."""


class LlamaStep:
    """Of a model's weights as they are when this is made."""

    @torch.inference_mode()
    def __init__(self, model: Any) -> None:
        config = model.config
        self.next_token = without_the_lock()
        self.heads, self.shared = config.num_attention_heads, config.num_key_value_heads
        self.width = config.head_dim
        self.hidden = config.hidden_size
        self.epsilon = torch.tensor((config.rms_norm_eps * self.hidden) ** 0.5)
        self.embedding = model.model.embed_tokens.weight
        layers = [self._layer(layer) for layer in model.model.layers]
        self.into_heads, self.out_of_heads, self.gate_and_up, self.down = map(list, zip(*layers, strict=True))
        self.head = self._after(model.model.norm, model.lm_head.weight)
        places = torch.arange(config.max_position_embeddings)[None]
        cos, sin = model.model.rotary_emb(self.embedding, places)
        half = self.width // 2
        self.cos, self.sin = cos[0, :, None], sin[0, :, None]
        self.sin = torch.cat([-self.sin[..., :half], self.sin[..., half:]], dim=-1)

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether the model is one that this computes."""
        from transformers import LlamaForCausalLM

        if type(model) is not LlamaForCausalLM or model.device.type != "cpu" or model.dtype != torch.float32:
            return False
        config: Any = model.config
        plain = (
            config.hidden_act == "silu"
            and not config.attention_bias
            and not config.mlp_bias
            and config.rope_parameters["rope_type"] == "default"
        )
        updated = any(".lora_" in name for name, _ in model.named_parameters())
        return plain and not updated and sum(p.numel() for p in model.parameters()) <= MOST_PARAMETERS

    def __call__(
        self, ids: torch.Tensor, positions: torch.Tensor, bias: torch.Tensor | None, cache: BufferCache
    ) -> torch.Tensor:
        """Logits (rows, vocabulary) after the last of the new tokens of each row; keys and values go into the cache.

        ids, positions: (rows, new). bias: (rows, new, columns) added to attention's logits, for the columns of the
        cache and the new ones; None for a single new token that sees all of them.
        """
        rows, new = ids.shape
        keys, values = cache.room(rows, self.shared, self.width, new)
        logits: torch.Tensor = self.next_token(
            self.embedding[ids.flatten()], self.cos[positions], self.sin[positions], bias, self.epsilon,
            self.into_heads, self.out_of_heads, self.gate_and_up, self.down, self.head, keys, values, self.heads,
        )  # fmt: skip
        return logits

    def _after(self, norm: Any, *weights: torch.Tensor) -> torch.Tensor:
        """Matrices that multiply what `norm` gives, as one that multiplies what `_normed` gives."""
        return (torch.cat(weights) * (norm.weight * self.hidden**0.5)).T.contiguous()

    def _layer(self, layer: Any) -> tuple[torch.Tensor, ...]:
        """Matrices to be multiplied from the right, as `next_token` takes them."""
        attention, mlp = layer.self_attn, layer.mlp
        query = attention.q_proj.weight * self.width**-0.5
        return (
            self._after(layer.input_layernorm, query, attention.k_proj.weight, attention.v_proj.weight),
            attention.o_proj.weight.T.contiguous(),
            self._after(layer.post_attention_layernorm, mlp.gate_proj.weight, mlp.up_proj.weight),
            mlp.down_proj.weight.T.contiguous(),
        )
