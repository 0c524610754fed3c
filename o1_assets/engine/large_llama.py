"""A Llama of more than some 20M parameters on CPUs, for sampling many solutions at once.

In such a model nearly all of the time should be matrix products, which needs many rows a product and weights in the
layout that the processor's kernels read. So the weights are packed once (oneDNN), in float32 or bfloat16, and what
rows share is computed once for all of them: attention to a common beginning of all prompts, and to a prompt that
several rows continue, is one product for all queries (as in Hydragen, arXiv:2402.05099, section 3). Results in float32
are those of the model up to the last bits. bfloat16 rounds the weights, and what they are multiplied with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from o1_assets.engine.kv_cache import cache_shape
from o1_assets.engine.llama_step import computes_llama, normed, rotary_tables
from o1_assets.engine.torch_script import compiled

# Below, operators are mostly overhead, and `LlamaStep` has fewer of them.
FEWEST_PARAMETERS = 20_000_000
# Added to attention's logits where a column is not seen. Not infinite: a row may see no column of one of the parts.
UNSEEN = -1e30


@dataclass(frozen=True)
class Columns:
    """Keys and values for each layer, each of shape (rows, shared heads, capacity, head_dim)."""

    keys: list[Tensor]
    values: list[Tensor]

    def take(self, other: Columns, source: int, target: int, columns: int) -> None:
        """The first columns of a row of `other` take the place of those of row `target`."""
        for mine, theirs in zip((*self.keys, *self.values), (*other.keys, *other.values), strict=True):
            mine[target, :, :columns] = theirs[source, :, :columns]

    def places(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Where entries (rows[i], every head, columns[i]) stand in a part's (rows * shared * capacity, head_dim)."""
        _, shared, capacity, _ = self.keys[0].shape
        return ((rows[:, None] * shared + torch.arange(shared)) * capacity + columns[:, None]).flatten()


class LargeLlama:
    """One model, with the weights that it has when this is made: after a training step a new one is needed."""

    @torch.inference_mode()
    def __init__(self, model: Any, dtype: torch.dtype = torch.float32) -> None:
        config = model.config
        self.layers, self.shared, self.width = cache_shape(config)
        self.heads, self.hidden = config.num_attention_heads, config.hidden_size
        # The norm's epsilon, outside of the mean: sqrt(sum / n + eps) = sqrt(sum + n * eps) / sqrt(n).
        self.epsilon = torch.tensor((config.rms_norm_eps * self.hidden) ** 0.5)
        self.embedding = model.model.embed_tokens.weight
        # For each layer: into heads, out of heads, gate and up together, down.
        self.weights: list[Tensor] = []
        for layer in model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            query = attention.q_proj.weight * self.width**-0.5
            of_heads = (query, attention.k_proj.weight, attention.v_proj.weight)
            for matrix in (
                self._after(layer.input_layernorm, *of_heads),
                attention.o_proj.weight,
                self._after(layer.post_attention_layernorm, mlp.gate_proj.weight, mlp.up_proj.weight),
                mlp.down_proj.weight,
            ):
                self.weights.append(packed(matrix, dtype))
        self.head = packed(self._after(model.model.norm, model.lm_head.weight), dtype)
        self.cos, self.sin = rotary_tables(model)

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether the model is one that this computes."""
        return computes_llama(model) and sum(p.numel() for p in model.parameters()) > FEWEST_PARAMETERS

    def _after(self, norm: Any, *weights: Tensor) -> Tensor:
        """The matrices after a norm as one: what they make of `norm`'s output, it makes of `normed`'s."""
        return torch.cat(weights) * (norm.weight * self.hidden**0.5)

    def columns(self, rows: int, capacity: int) -> Columns:
        """Room for `capacity` tokens in each of `rows` rows. Zeros, because what is not seen is multiplied by zero."""
        shape = (rows, self.shared, capacity, self.width)
        return Columns(
            [torch.zeros(shape) for _ in range(self.layers)], [torch.zeros(shape) for _ in range(self.layers)]
        )

    def read(
        self,
        texts: Sequence[Sequence[int]],
        known: Sequence[tuple[int, int]],
        begun: Columns,
        common: Columns | None,
    ) -> Columns:
        """The columns of texts that all continue `common`, which is one row; padded on the right.

        known: for each text a row of `begun`, and with how many tokens of that row the text begins too: these are
        copied instead of read.
        """
        read = self.columns(len(texts), max(map(len, texts)))
        for target, (source, columns) in enumerate(known):
            read.take(begun, source, target, columns)
        new = [list(text[columns:]) for text, (_, columns) in zip(texts, known, strict=True)]
        row, within = _places([len(text) for text in new])
        column = within + torch.tensor([columns for _, columns in known])[row]
        longest = max(map(len, new))
        place = row * longest + within
        # What stands in the places of the padding is never looked at.
        spread = torch.zeros(len(texts) * longest, dtype=torch.long)
        spread[place] = torch.arange(len(place))
        last = torch.tensor([columns for _, columns in known])[:, None] + torch.arange(
            longest
        )  # column each may see
        unseen = torch.arange(read.keys[0].shape[2]) > last[..., None]
        bias = torch.zeros(unseen.shape).masked_fill_(unseen, UNSEEN)
        ids = torch.tensor([token for text in new for token in text])
        positions = column + (common.keys[0].shape[2] if common else 0)
        self._hidden(ids, positions, common, read, bias, spread, place, None, None, read.places(row, column))
        return read

    def next_logits(
        self,
        ids: Tensor,
        positions: Tensor,
        common: Columns | None,
        prompts: Columns,
        prompts_bias: Tensor,
        spread: Tensor,
        place: Tensor,
        rows: Columns,
        lengths: Tensor,
    ) -> Tensor:
        """Logits (rows, vocabulary) after one more token a row; its keys and values go into `rows` at `lengths`.

        prompts_bias (prompts, most rows of one, columns), spread and place say which row continues which prompt, as
        `hidden_states` takes them.
        """
        bias = torch.zeros(len(ids), 1, int(lengths.max()) + 1)
        bias.masked_fill_(torch.arange(bias.shape[2]) > lengths[:, None, None], UNSEEN)
        slots = rows.places(torch.arange(len(ids)), lengths)
        hidden = self._hidden(ids, positions, common, prompts, prompts_bias, spread, place, rows, bias, slots)
        logits: Tensor = compiled(product)(normed(hidden, self.epsilon), self.head)
        return logits

    def _hidden(
        self, ids: Tensor, positions: Tensor, common: Columns | None, prompts: Columns, prompts_bias: Tensor,
        spread: Tensor, place: Tensor, rows: Columns | None, bias: Tensor | None, slots: Tensor,
    ) -> Tensor:  # fmt: skip
        nothing: list[Tensor] = []
        hidden: Tensor = compiled(hidden_states)(
            self.embedding[ids], self.cos[positions], self.sin[positions], self.epsilon, self.weights, self.heads,
            common.keys if common else nothing, common.values if common else nothing,
            prompts.keys, prompts.values, prompts_bias, spread, place,
            rows.keys if rows else nothing, rows.values if rows else nothing, bias, slots,
        )  # fmt: skip
        return hidden


def _places(lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """For tokens one after another the row of each, and its place in that row."""
    row = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return row, torch.cat([torch.arange(length) for length in lengths])


def packed(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """A matrix (out, in) as `product` takes it: in oneDNN's layout, or without oneDNN transposed."""
    if not torch.backends.mkldnn.is_available():
        return matrix.T.contiguous()
    result: Tensor = torch.ops.mkldnn._reorder_linear_weight(matrix.to(dtype).contiguous())
    return result


# TorchScript: a token is one call that does not hold Python's lock.


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x (n, in) times a matrix that was `packed`: (n, out), in float32."""
    if not weight.is_mkldnn:
        return torch.mm(x, weight)
    return torch.ops.mkldnn._linear_pointwise(x.to(weight.dtype), weight, None, "none", [], "").float()


def attention(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums that attention is made of where its columns come in parts: values weighted by exp(logit - largest), those
    weights' sum, and the largest logit. query: (batch, queries, width). keys, values: (batch, columns, width)."""
    turned = keys.transpose(1, 2)
    logits = torch.bmm(query, turned) if bias is None else torch.baddbmm(bias, query, turned)
    largest = logits.amax(dim=-1, keepdim=True)
    weights = torch.exp(logits.sub_(largest))
    return torch.bmm(weights, values), weights.sum(-1, keepdim=True), largest


def grouped_attention(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The same for rows with several tokens each, (rows * new, heads, ...).

    query: (rows * new, heads, width). keys, values: (rows, shared, columns, width). bias: (rows, new, columns).
    """
    rows, new, columns = bias.size(0), bias.size(1), bias.size(2)
    heads, width, shared = query.size(1), query.size(2), keys.size(1)
    queries = heads // shared
    # Heads that share keys are stacked as further queries: (rows * shared, new * queries, width).
    query = query.view(rows, new, shared, queries, width).transpose(1, 2)
    query = query.reshape(rows * shared, new * queries, width)
    bias = bias[:, None, :, None].expand(rows, shared, new, queries, columns)
    parts = attention(
        query, keys.flatten(0, 1), values.flatten(0, 1), bias.reshape(rows * shared, new * queries, columns)
    )
    return (
        parts[0].view(rows, shared, new, queries, width).transpose(1, 2).reshape(rows * new, heads, width),
        parts[1].view(rows, shared, new, queries, 1).transpose(1, 2).reshape(rows * new, heads, 1),
        parts[2].view(rows, shared, new, queries, 1).transpose(1, 2).reshape(rows * new, heads, 1),
    )


def joined(
    one: tuple[Tensor, Tensor, Tensor], other: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """The sums over the columns of two parts of attention."""
    largest = torch.maximum(one[2], other[2])
    first, second = torch.exp(one[2] - largest), torch.exp(other[2] - largest)
    return one[0] * first + other[0] * second, one[1] * first + other[1] * second, largest


def hidden_states(
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    epsilon: Tensor,
    weights: list[Tensor],
    heads: int,
    common_keys: list[Tensor],
    common_values: list[Tensor],
    prompt_keys: list[Tensor],
    prompt_values: list[Tensor],
    prompt_bias: Tensor,
    spread: Tensor,
    place: Tensor,
    row_keys: list[Tensor],
    row_values: list[Tensor],
    row_bias: Tensor | None,
    slots: Tensor,
) -> Tensor:
    """Hidden states (tokens, hidden) before the last norm. Each token sees three parts, of which those that are empty
    are left out: what is common to all, its prompt, and its row.

    x: embeddings (tokens, hidden). cos, sin: (tokens, 1, width), the first half of sin negative. weights: four for each
    layer. Keys and values, for each layer: common (1, shared, columns, width); prompt (prompts, shared, capacity,
    width); row (tokens, shared, capacity, width), without which the tokens are those of the prompts themselves.
    prompt_bias: (prompts, n, columns) for at most n tokens of a prompt; spread: (prompts * n,) which token stands in
    each of their places; place: (tokens,) in which of them a token stands. row_bias: (tokens, 1, columns). slots: where
    the tokens' own keys and values are written, among (rows or prompts) * shared * capacity.
    """
    tokens, width = x.size(0), cos.size(2)
    half = width // 2
    shared = prompt_keys[0].size(1)
    prompts, prompt_columns = prompt_bias.size(0), prompt_bias.size(2)
    to_keys, to_values = (row_keys, row_values) if len(row_keys) > 0 else (prompt_keys, prompt_values)
    for layer in range(len(weights) // 4):
        into_heads, out_of_heads, gate_and_up, down = weights[4 * layer : 4 * layer + 4]
        # (tokens, hidden) -> (tokens, heads + 2 * shared, width)
        made = product(normed(x, epsilon), into_heads).view(tokens, -1, width)
        turned, value = made.split([heads + shared, shared], dim=1)
        # Rotary embedding of queries and keys together: x * cos + swapped(x) * sin.
        swapped = torch.cat([turned[..., half:], turned[..., :half]], dim=-1)
        query, key = torch.addcmul(turned * cos, swapped, sin).split([heads, shared], dim=1)
        to_keys[layer].view(-1, width).index_copy_(0, slots, key.reshape(-1, width))
        to_values[layer].view(-1, width).index_copy_(0, slots, value.reshape(-1, width))
        query = query.contiguous()
        # At most three parts of (tokens, heads, ...); at least one of them is not empty.
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        if len(common_keys) > 0:
            keys, values = common_keys[layer], common_values[layer]
            parts.append(
                grouped_attention(query, keys, values, torch.zeros(1, 1, 1).expand(1, tokens, keys.size(2)))
            )
        if prompt_columns > 0:
            keys = prompt_keys[layer][:prompts, :, :prompt_columns]
            values = prompt_values[layer][:prompts, :, :prompt_columns]
            sums, totals, largest = grouped_attention(query[spread], keys, values, prompt_bias)
            parts.append((sums[place], totals[place], largest[place]))
        if row_bias is not None:
            keys = row_keys[layer][:tokens, :, : row_bias.size(2)]
            values = row_values[layer][:tokens, :, : row_bias.size(2)]
            parts.append(grouped_attention(query, keys, values, row_bias))
        whole = parts[0]
        for part in parts[1:]:
            whole = joined(whole, part)
        attended = (whole[0] / whole[1]).view(tokens, heads * width)
        x = x + product(attended, out_of_heads)
        gate, up = product(normed(x, epsilon), gate_and_up).chunk(2, dim=-1)
        x = x + product(torch.nn.functional.silu(gate) * up, down)
    return x
