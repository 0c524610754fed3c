"""The layers of a small Llama on a CPU, forward and backward, each as one call.

In a model of under a million parameters an operator is mostly overhead, and with several threads in Python each
operator waits for Python's lock too. So the layers are two TorchScript calls that hold no lock, the gradient is written
out instead of recorded, and matrices with the same input are one matrix. Results are those of the model up to the
last bits, and the same bits at every call.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from o1_assets.engine.torch_script import compiled

# As for sampling (`LlamaStep`): in larger models an operator is worth more than its overhead.
MOST_PARAMETERS = 20_000_000
# Of a layer, in the order in which `Layers` takes and returns them.
NAMES = (
    "input_layernorm",
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "post_attention_layernorm",
    "gate_proj",
    "up_proj",
    "down_proj",
)


def fits(config: Any, parameters: int) -> bool:
    """Whether the layers of a Llama with so many parameters are those that `Layers` computes."""
    return (
        config.hidden_act == "silu"
        and not config.attention_bias
        and not config.mlp_bias
        and config.num_key_value_heads == config.num_attention_heads
        and config.rope_parameters["rope_type"] == "default"
        and parameters <= MOST_PARAMETERS
    )


def signed(cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of rotary embedding as `Layers` takes them, (rows, new, width)."""
    half = sin.shape[-1] // 2
    return cos.contiguous(), torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)


def attention_bias(mask: Tensor | None, rows: int, new: int, heads: int) -> Tensor:
    """What is added to attention's logits, (heads * rows, new, new), from a mask as LlamaModel takes it."""
    if mask is not None and mask.dim() == 4:
        seen = mask[:, 0]
        if seen.dtype == torch.bool:  # which keys are seen, as torch's own attention takes it
            seen = torch.zeros(seen.shape).masked_fill_(~seen, torch.finfo(torch.float32).min)
    else:
        causal = torch.ones(new, new, dtype=torch.bool).tril()
        if mask is not None and not mask.all():
            causal = causal & (mask[:, None] > 0)  # (rows, new, new)
        # Not infinite: a row of padding that sees nothing would be NaN.
        seen = torch.zeros(causal.shape).masked_fill_(~causal, torch.finfo(torch.float32).min)
    return seen.expand(heads, rows, new, new).reshape(heads * rows, new, new)


class Layers(torch.autograd.Function):
    """All layers and the last norm of a Llama.

    x: (rows, new, hidden). cos, sin: (rows, new, width), the first half of sin negative. bias: (heads * rows, new,
    new). shape: (rows, new, heads). weights: NAMES for each layer, and the last norm's.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        bias: Tensor,
        epsilon: float,
        shape: Any,
        *weights: Tensor,
    ) -> Tensor:
        ctx.keeps = any(ctx.needs_input_grad)
        hidden, kept = compiled(layers_forward)(x, cos, sin, bias, epsilon, shape[2], weights, ctx.keeps)
        if ctx.keeps:
            ctx.kept = kept
            ctx.save_for_backward(cos, sin, *weights)
        return hidden

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        cos, sin, *weights = ctx.saved_tensors
        grad_x, grads = compiled(layers_backward)(grad, cos, sin, weights, ctx.kept)
        ctx.kept = None
        return grad_x, None, None, None, None, None, *grads


def layers_forward(
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    bias: Tensor,
    epsilon: float,
    heads: int,
    weights: list[Tensor],
    keep: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Hidden states (rows, new, hidden), and with `keep` what `layers_backward` needs: 15 tensors a layer, and 2."""
    rows, new, hidden = x.size(0), x.size(1), x.size(2)
    width, size = cos.size(2), float(hidden) ** 0.5
    # The norm's epsilon, outside of the mean: sqrt(sum / n + eps) = sqrt(sum + n * eps) / sqrt(n).
    outside = torch.full([], size * epsilon**0.5)
    scale = float(width) ** -0.5
    x = x.reshape(rows * new, hidden)
    kept: list[Tensor] = []
    for layer in range(len(weights) // 9):
        norm, q, k, v, out, norm2, gate, up, down = weights[9 * layer : 9 * layer + 9]
        qkv = torch.cat([q, k, v])
        into_heads = qkv * (norm * size)
        length = torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), outside)
        unit = x / length
        # (rows * new, 3 * heads * width) -> (3 * heads, rows, new, width): queries, keys, values of all rows.
        made = (
            torch.mm(unit, into_heads.t()).view(rows, new, 3 * heads, width).permute(2, 0, 1, 3).contiguous()
        )
        turned = rotated(made[: 2 * heads], cos, sin, 1.0).view(2, heads * rows, new, width)
        value = made[2 * heads :].view(heads * rows, new, width)
        scores = torch.baddbmm(bias, turned[0], turned[1].transpose(1, 2), alpha=scale)
        chances = torch.softmax(scores, dim=-1)
        attended = torch.bmm(chances, value).view(heads, rows, new, width)
        attended = attended.permute(1, 2, 0, 3).reshape(rows * new, heads * width)
        x = torch.addmm(x, attended, out.t())
        gate_up = torch.cat([gate, up])
        into_mlp = gate_up * (norm2 * size)
        length2 = torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), outside)
        unit2 = x / length2
        both = torch.mm(unit2, into_mlp.t())
        gates, ups = both.chunk(2, dim=1)
        opened = torch.nn.functional.silu(gates)
        inner = opened * ups
        x = torch.addmm(x, inner, down.t())
        if keep:
            kept += [qkv, into_heads, length, unit, turned, value, chances, attended]
            kept += [gate_up, into_mlp, length2, unit2, both, opened, inner]
    length = torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), outside)
    unit = x / length
    if keep:
        kept += [length, unit]
    return (unit * (weights[-1] * size)).view(rows, new, hidden), kept


def layers_backward(
    grad: Tensor, cos: Tensor, sin: Tensor, weights: list[Tensor], kept: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """The gradient of x, and those of the weights in their order. grad: (rows, new, hidden), of the hidden states."""
    rows, new, hidden = grad.size(0), grad.size(1), grad.size(2)
    width, size = cos.size(2), float(hidden) ** 0.5
    scale = float(width) ** -0.5
    layers = len(weights) // 9
    length, unit = kept[-2:]
    g = grad.reshape(rows * new, hidden)
    grads: list[Tensor] = [(g * unit).sum(0) * size]
    g = before_norm(g * (weights[-1] * size), unit, length)
    for back in range(layers):
        layer = layers - 1 - back
        norm, _, _, _, out, norm2, _, _, down = weights[9 * layer : 9 * layer + 9]
        qkv, into_heads, length, unit, turned, value, chances, attended = kept[15 * layer : 15 * layer + 8]
        gate_up, into_mlp, length2, unit2, both, opened, inner = kept[15 * layer + 8 : 15 * layer + 15]
        heads = value.size(0) // rows
        of_down = torch.mm(g.t(), inner)
        of_inner = torch.mm(g, down)
        gates, ups = both.chunk(2, dim=1)
        of_both = torch.cat([torch.ops.aten.silu_backward(of_inner * ups, gates), of_inner * opened], dim=1)
        of_merged = torch.mm(of_both.t(), unit2)
        of_norm2 = (of_merged * gate_up).sum(0) * size
        of_gate, of_up = (of_merged * (norm2 * size)).chunk(2)
        g = g + before_norm(torch.mm(of_both, into_mlp), unit2, length2)

        of_out = torch.mm(g.t(), attended)
        of_attended = torch.mm(g, out).view(rows, new, heads, width).permute(2, 0, 1, 3)
        of_attended = of_attended.reshape(heads * rows, new, width)
        of_value = torch.bmm(chances.transpose(1, 2), of_attended)
        of_chances = torch.bmm(of_attended, value.transpose(1, 2))
        of_scores = torch._softmax_backward_data(of_chances, chances, -1, chances.dtype)
        of_turned = torch.empty_like(turned)
        torch.baddbmm(value, of_scores, turned[1], beta=0, alpha=scale, out=of_turned[0])
        torch.baddbmm(value, of_scores.transpose(1, 2), turned[0], beta=0, alpha=scale, out=of_turned[1])
        of_made = torch.cat(
            [
                rotated(of_turned.view(2 * heads, rows, new, width), cos, sin, -1.0),
                of_value.view(heads, rows, new, width),
            ]
        )
        of_made = of_made.permute(1, 2, 0, 3).reshape(rows * new, 3 * heads * width)
        of_merged = torch.mm(of_made.t(), unit)
        of_norm = (of_merged * qkv).sum(0) * size
        of_q, of_k, of_v = (of_merged * (norm * size)).chunk(3)
        g = g + before_norm(torch.mm(of_made, into_heads), unit, length)
        grads = [of_norm, of_q, of_k, of_v, of_out, of_norm2, of_gate, of_up, of_down] + grads  # noqa: RUF005 - TorchScript
    return g.view(rows, new, hidden), grads


def rotated(x: Tensor, cos: Tensor, sin: Tensor, direction: float) -> Tensor:
    """Rotary embedding, x * cos + swapped(x) * sin, or with direction -1 its transpose. x: (..., rows, new, width)."""
    half = x.size(-1) // 2
    swapped = torch.cat([x[..., half:], x[..., :half]], dim=-1)
    return torch.addcmul(x * cos, swapped, sin, value=direction)


def before_norm(grad: Tensor, unit: Tensor, length: Tensor) -> Tensor:
    """The gradient of x from that of unit = x / sqrt(|x|^2 + epsilon^2), rows (n, hidden)."""
    along = (grad * unit).sum(1, keepdim=True)
    return torch.addcmul(grad, unit, along, value=-1) / length
