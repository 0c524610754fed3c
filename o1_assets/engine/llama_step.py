"""The next tokens of every row of a batch, for a Llama on a CPU, with as few operators as possible.

In a model of under a million parameters an operator is mostly overhead. So matrices with the same input are one
matrix, the weights of the norms and attention's scale are multiplied into the matrices, and attention with a few
queries is two batched products instead of a flash kernel. Results are those of the model up to the last bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from o1_assets.engine.kv_cache import BufferCache
from o1_assets.engine.plain_llama import PlainLlama
from o1_assets.engine.torch_script import compiled

# The weights are held twice. With a model of 135M and 40 samples at a time, this took two thirds of the time of the
# model itself; nothing larger was measured.
MOST_PARAMETERS = 200_000_000


def rotary_tables(model: Any) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position, (positions, 1, width of a head) each.

    The sign of rotary embedding's swapped half (Su et al., arXiv:2104.09864, 3.4.2) is put into the sine once, so that
    turning a query is one fused multiply-add and no negation a token.
    """
    places = torch.arange(model.config.max_position_embeddings)[None]
    cos, sin = model.model.rotary_emb(model.model.embed_tokens.weight, places)
    half = sin.shape[-1] // 2
    cos, sin = cos[0, :, None], sin[0, :, None]
    return cos, torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)


def computes_llama(model: Any) -> bool:
    """Whether the model is a Llama in float32 on a CPU without anything that our decoding steps leave out."""
    if not isinstance(model, PlainLlama):
        from transformers import LlamaForCausalLM

        if type(model) is not LlamaForCausalLM:
            return False
    if model.device.type != "cpu" or model.dtype != torch.float32:
        return False
    config: Any = model.config
    plain = (
        config.hidden_act == "silu"
        and not config.attention_bias
        and not config.mlp_bias
        and config.rope_parameters["rope_type"] == "default"
    )
    # Low-rank updates are layers beside the weights, which this would leave out.
    return plain and not any(".lora_" in name for name, _ in model.named_parameters())


class LlamaStep:
    """One model, with the weights that it has when this is made: after a training step a new one is needed."""

    @torch.inference_mode()
    def __init__(self, model: Any) -> None:
        config = model.config
        self.next_token = compiled(next_token)
        self.heads, self.shared = config.num_attention_heads, config.num_key_value_heads
        self.width = config.head_dim
        self.hidden = config.hidden_size
        # The norm's epsilon, outside of the mean: sqrt(sum / n + eps) = sqrt(sum + n * eps) / sqrt(n).
        self.epsilon = torch.tensor((config.rms_norm_eps * self.hidden) ** 0.5)
        self.embedding = model.model.embed_tokens.weight
        layers = [self._layer(layer) for layer in model.model.layers]
        self.into_heads, self.out_of_heads, self.gate_and_up, self.down = map(list, zip(*layers, strict=True))
        self.head = self._after(model.model.norm, model.lm_head.weight)
        self.cos, self.sin = rotary_tables(model)

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether the model is one that this computes."""
        return computes_llama(model) and sum(p.numel() for p in model.parameters()) <= MOST_PARAMETERS

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
        """The matrices after a norm as one: what they make of `norm`'s output, it makes of `normed`'s."""
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


# The arithmetic is one call that does not need Python's lock. With several threads in Python, each of some hundred
# operators a token would wait for the lock in between; two threads then sample hardly faster than one. TorchScript
# gives the same bits at every call. They may differ by some 2e-6 from those of a call of `next_token` in Python.


def next_token(
    x: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    bias: torch.Tensor | None,
    epsilon: torch.Tensor,
    into_heads: list[torch.Tensor],
    out_of_heads: list[torch.Tensor],
    gate_and_up: list[torch.Tensor],
    down: list[torch.Tensor],
    head: torch.Tensor,
    keys: list[torch.Tensor],
    values: list[torch.Tensor],
    heads: int,
) -> torch.Tensor:
    """Logits (rows, vocabulary) after the last new token of each row.

    x: embeddings, (rows * new, hidden). cos, sin: (rows, new, 1, width), the first half of sin negative. bias: (rows,
    new, columns) or None. into_heads: for each layer (hidden, widths of queries, keys and values together); this and
    the other matrices are multiplied from the right. keys, values: for each layer (rows, shared, columns, width), whose
    last `new` columns are filled here. shared is the number of heads of keys and values (grouped-query attention).
    """
    rows, new, width = cos.size(0), cos.size(1), cos.size(3)
    shared, columns = keys[0].size(1), keys[0].size(2)
    queries, half, before = heads // shared, width // 2, columns - new
    if bias is not None:
        bias = bias[:, None, None].expand(rows, shared, queries, new, columns)
        bias = bias.reshape(rows * shared, queries * new, columns)
    for layer in range(len(into_heads)):
        # (rows * new, hidden) -> (rows, new, heads + 2 * shared, width)
        made = torch.mm(normed(x, epsilon), into_heads[layer]).view(rows, new, -1, width)
        turned, value = made.split([heads + shared, shared], dim=2)
        # Rotary embedding of queries and keys together: x * cos + swapped(x) * sin.
        swapped = torch.cat([turned[..., half:], turned[..., :half]], dim=-1)
        query, key = torch.addcmul(turned * cos, swapped, sin).split([heads, shared], dim=2)
        keys[layer][:, :, before:] = key.transpose(1, 2)
        values[layer][:, :, before:] = value.transpose(1, 2)
        # Heads that share keys are stacked as further queries: (rows * shared, queries * new, width). That is one
        # batched product for each layer, and keys need not be repeated for each head.
        query = query.view(rows, new, shared, queries, width).permute(0, 2, 3, 1, 4)
        query = query.reshape(rows * shared, queries * new, width)
        seen = keys[layer].flatten(0, 1).transpose(1, 2)
        scores = torch.bmm(query, seen) if bias is None else torch.baddbmm(bias, query, seen)
        attended = torch.bmm(torch.softmax(scores, dim=-1), values[layer].flatten(0, 1))
        # Back to (rows, new, heads, width).
        attended = attended.view(rows, shared, queries, new, width).permute(0, 3, 1, 2, 4)
        x = torch.addmm(x, attended.reshape(rows * new, -1), out_of_heads[layer])
        gate, up = torch.mm(normed(x, epsilon), gate_and_up[layer]).chunk(2, dim=-1)
        x = torch.addmm(x, torch.nn.functional.silu(gate) * up, down[layer])
    return torch.mm(normed(x.view(rows, new, -1)[:, -1], epsilon), head)


def normed(x: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
    """RMSNorm of rows (n, hidden) but for the factor sqrt(hidden), which is part of the matrix that follows."""
    # hypot adds epsilon inside of the root in one operator.
    return x / torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), epsilon)
