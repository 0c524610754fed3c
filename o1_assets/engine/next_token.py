"""The arithmetic of `LlamaStep`, as one call that Python's lock is not needed for.

With several threads in Python, each of some hundred operators a token would wait for the lock in between; two
threads then sample hardly faster than one. TorchScript gives the same bits at every call; from what Python gives
them, calling `next_token` itself, they may differ by some 2e-6.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch


@cache
def without_the_lock() -> Callable[..., Any]:
    """`next_token`, compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what replaces it needs a C++ compiler
        return torch.jit.script(next_token)


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
    new, columns) or None. into_heads: (hidden, queries, keys, values one after another), and the other matrices
    likewise, of each layer, to be multiplied from the right. keys, values: of each layer, (rows, shared, columns,
    width), the last `new` columns to be filled here.
    """
    rows, new, width = cos.size(0), cos.size(1), cos.size(3)
    shared, columns = keys[0].size(1), keys[0].size(2)
    queries, half, before = heads // shared, width // 2, columns - new
    if bias is not None:
        bias = bias[:, None, None].expand(rows, shared, queries, new, columns)
        bias = bias.reshape(rows * shared, queries * new, columns)
    for layer in range(len(into_heads)):
        made = torch.mm(normed(x, epsilon), into_heads[layer]).view(rows, new, -1, width)
        turned, value = made.split([heads + shared, shared], dim=2)
        swapped = torch.cat([turned[..., half:], turned[..., :half]], dim=-1)
        query, key = torch.addcmul(turned * cos, swapped, sin).split([heads, shared], dim=2)
        keys[layer][:, :, before:] = key.transpose(1, 2)
        values[layer][:, :, before:] = value.transpose(1, 2)
        query = query.view(rows, new, shared, queries, width).permute(0, 2, 3, 1, 4)
        query = query.reshape(rows * shared, queries * new, width)
        seen = keys[layer].flatten(0, 1).transpose(1, 2)
        scores = torch.bmm(query, seen) if bias is None else torch.baddbmm(bias, query, seen)
        out = torch.bmm(torch.softmax(scores, dim=-1), values[layer].flatten(0, 1))
        out = out.view(rows, shared, queries, new, width).permute(0, 3, 1, 2, 4)
        x = torch.addmm(x, out.reshape(rows * new, -1), out_of_heads[layer])
        gate, up = torch.mm(normed(x, epsilon), gate_and_up[layer]).chunk(2, dim=-1)
        x = torch.addmm(x, torch.nn.functional.silu(gate) * up, down[layer])
    return torch.mm(normed(x.view(rows, new, -1)[:, -1], epsilon), head)


def normed(x: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
    """x over its length; the factor that makes it the root mean square's is part of the matrix that follows."""
    return x / torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), epsilon)
