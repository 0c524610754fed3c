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

from o1_assets.engine.processor import multiplies_bfloat16
from o1_assets.engine.torch_script import compiled

# As for sampling (`LlamaStep`): in larger models an operator is worth more than its overhead.
MOST_PARAMETERS = 20_000_000
# With fewer rows casts take as long as is saved (docs/decisions/running.md).
FEWEST_ROWS = 128
# Sizes of products in bfloat16 between a power of two and the next one.
SIZES_AN_OCTAVE = 4
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


def multiplied_in(rows: int) -> torch.dtype:
    """In which precision so many rows are multiplied with a matrix: bfloat16 under autocast, where that pays."""
    pays = torch.is_autocast_enabled("cpu") and rows >= FEWEST_ROWS and multiplies_bfloat16()
    return torch.bfloat16 if pays else torch.float32


def padded(rows: int, products: torch.dtype) -> int:
    """How many rows `Layers` computes for `rows` of them: in bfloat16 rounded up, so that a few numbers recur.

    oneDNN compiles a product in bfloat16 for each number of rows that it meets. That takes 1 to 4 ms, longer than the
    product, and nearly every batch has another number of rows (docs/decisions/running.md).
    """
    if products == torch.float32:
        return rows
    step = max(1, 2 ** (rows - 1).bit_length() // (2 * SIZES_AN_OCTAVE))
    return -(-rows // step) * step


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
    new). shape: (rows, new, heads). products: in which matrices are multiplied; sums, attention and everything else is
    float32. weights: NAMES for each layer, and the last norm's. Outside of attention there are `padded` rows, the
    last of them zero.
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
        products: torch.dtype,
        *weights: Tensor,
    ) -> Tensor:
        ctx.keeps = any(ctx.needs_input_grad)
        with torch.autocast("cpu", enabled=False):
            hidden, kept = compiled(layers_forward)(
                x,
                cos,
                sin,
                bias,
                epsilon,
                shape[2],
                products,
                padded(shape[0] * shape[1], products),
                weights,
                ctx.keeps,
            )
        if ctx.keeps:
            ctx.kept, ctx.products = kept, products
            ctx.save_for_backward(cos, sin, *weights)
        return hidden

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        cos, sin, *weights = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            grad_x, grads = compiled(layers_backward)(grad, cos, sin, ctx.products, weights, ctx.kept)
        ctx.kept = None
        return grad_x, None, None, None, None, None, None, *grads


def layers_forward(
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    bias: Tensor,
    epsilon: float,
    heads: int,
    products: torch.dtype,
    size_of_products: int,
    weights: list[Tensor],
    keep: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Hidden states (rows, new, hidden), and with `keep` what `layers_backward` needs: 15 tensors a layer, and 2.

    size_of_products: rows of every product, at least rows * new; those beyond are zero.
    """
    rows, new, hidden = x.size(0), x.size(1), x.size(2)
    width, size = cos.size(2), float(hidden) ** 0.5
    # The norm's epsilon, outside of the mean: sqrt(sum / n + eps) = sqrt(sum + n * eps) / sqrt(n).
    outside = torch.full([], size * epsilon**0.5)
    scale = float(width) ** -0.5
    x = with_rows(x.reshape(rows * new, hidden), size_of_products)
    kept: list[Tensor] = []
    for layer in range(len(weights) // 9):
        norm, q, k, v, out, norm2, gate, up, down = weights[9 * layer : 9 * layer + 9]
        qkv = torch.cat([q, k, v])
        into_heads = (qkv * (norm * size)).to(products)
        length = torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), outside)
        unit = x / length
        # (rows * new, 3 * heads * width) -> (3 * heads, rows, new, width): queries, keys, values of all rows.
        made = torch.mm(unit.to(products), into_heads.t())[: rows * new].view(rows, new, 3 * heads, width)
        made = as_laid_out(made.permute(2, 0, 1, 3), torch.float32)
        turned = rotated(made[: 2 * heads], cos, sin, 1.0).view(2, heads * rows, new, width)
        value = made[2 * heads :].view(heads * rows, new, width)
        scores = torch.baddbmm(bias, turned[0], turned[1].transpose(1, 2), alpha=scale)
        chances = torch.softmax(scores, dim=-1)
        attended = torch.bmm(chances, value).view(heads, rows, new, width)
        attended = as_laid_out(attended.permute(1, 2, 0, 3), products).view(rows * new, heads * width)
        attended = with_rows(attended, size_of_products)
        x = plus_product(x, attended, out.to(products).t())
        gate_up = torch.cat([gate, up])
        into_mlp = (gate_up * (norm2 * size)).to(products)
        length2 = torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), outside)
        unit2 = x / length2
        both = torch.mm(unit2.to(products), into_mlp.t())
        gates, ups = both.chunk(2, dim=1)
        opened = torch.nn.functional.silu(gates)
        inner = opened * ups
        x = plus_product(x, inner, down.to(products).t())
        if keep:
            kept += [qkv, into_heads, length, unit, turned, value, chances, attended]
            kept += [gate_up, into_mlp, length2, unit2, both, opened, inner]
    length = torch.hypot(torch.linalg.vector_norm(x, dim=1, keepdim=True), outside)
    unit = x / length
    if keep:
        kept += [length, unit]
    return (unit * (weights[-1] * size))[: rows * new].view(rows, new, hidden), kept


def layers_backward(
    grad: Tensor, cos: Tensor, sin: Tensor, products: torch.dtype, weights: list[Tensor], kept: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """The gradient of x, and those of the weights in their order. grad: (rows, new, hidden), of the hidden states."""
    rows, new, hidden = grad.size(0), grad.size(1), grad.size(2)
    width, size = cos.size(2), float(hidden) ** 0.5
    scale = float(width) ** -0.5
    layers = len(weights) // 9
    length, unit = kept[-2:]
    g = with_rows(grad.reshape(rows * new, hidden), unit.size(0))
    grads: list[Tensor] = [(g * unit).sum(0) * size]
    g = before_norm(g * (weights[-1] * size), unit, length)
    for back in range(layers):
        layer = layers - 1 - back
        norm, _, _, _, out, norm2, _, _, down = weights[9 * layer : 9 * layer + 9]
        qkv, into_heads, length, unit, turned, value, chances, attended = kept[15 * layer : 15 * layer + 8]
        gate_up, into_mlp, length2, unit2, both, opened, inner = kept[15 * layer + 8 : 15 * layer + 15]
        heads = value.size(0) // rows
        put = g.to(products)
        of_down = torch.mm(put.t(), inner).to(torch.float32)
        of_inner = torch.mm(put, down.to(products))
        gates, ups = both.chunk(2, dim=1)
        of_both = torch.cat([torch.ops.aten.silu_backward(of_inner * ups, gates), of_inner * opened], dim=1)
        of_merged = torch.mm(of_both.t(), unit2.to(products)).to(torch.float32)
        of_norm2 = (of_merged * gate_up).sum(0) * size
        of_gate, of_up = (of_merged * (norm2 * size)).chunk(2)
        g = g + before_norm(torch.mm(of_both, into_mlp).to(torch.float32), unit2, length2)

        put = g.to(products)
        of_out = torch.mm(put.t(), attended).to(torch.float32)
        of_attended = torch.mm(put, out.to(products))[: rows * new].view(rows, new, heads, width)
        of_attended = as_laid_out(of_attended.permute(2, 0, 1, 3), torch.float32).view(
            heads * rows, new, width
        )
        of_value = torch.bmm(chances.transpose(1, 2), of_attended)
        of_chances = torch.bmm(of_attended, value.transpose(1, 2))
        of_scores = torch._softmax_backward_data(of_chances, chances, -1, torch.float32)
        of_turned = torch.empty_like(turned)
        torch.baddbmm(value, of_scores, turned[1], beta=0, alpha=scale, out=of_turned[0])
        torch.baddbmm(value, of_scores.transpose(1, 2), turned[0], beta=0, alpha=scale, out=of_turned[1])
        of_made = torch.cat(
            [
                rotated(of_turned.view(2 * heads, rows, new, width), cos, sin, -1.0),
                of_value.view(heads, rows, new, width),
            ]
        )
        of_made = as_laid_out(of_made.permute(1, 2, 0, 3), products).view(rows * new, 3 * heads * width)
        of_made = with_rows(of_made, unit.size(0))
        of_merged = torch.mm(of_made.t(), unit.to(products)).to(torch.float32)
        of_norm = (of_merged * qkv).sum(0) * size
        of_q, of_k, of_v = (of_merged * (norm * size)).chunk(3)
        g = g + before_norm(torch.mm(of_made, into_heads).to(torch.float32), unit, length)
        grads = [of_norm, of_q, of_k, of_v, of_out, of_norm2, of_gate, of_up, of_down] + grads  # noqa: RUF005 - TorchScript
    return g[: rows * new].view(rows, new, hidden), grads


def with_rows(x: Tensor, rows: int) -> Tensor:
    """x (n, width) with zeros below, (rows, width)."""
    if rows == x.size(0):
        return x
    return torch.cat([x, torch.zeros([rows - x.size(0), x.size(1)], dtype=x.dtype)])


def as_laid_out(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Permuted axes in the order in which they stand, in one copy."""
    return x.to(dtype, memory_format=torch.contiguous_format).contiguous()


def plus_product(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """x + a b; x in float32, a and b in what is multiplied in."""
    return torch.addmm(x, a, b) if a.dtype == x.dtype else x + torch.mm(a, b)


def rotated(x: Tensor, cos: Tensor, sin: Tensor, direction: float) -> Tensor:
    """Rotary embedding, x * cos + swapped(x) * sin, or with direction -1 its transpose. x: (..., rows, new, width)."""
    half = x.size(-1) // 2
    swapped = torch.cat([x[..., half:], x[..., :half]], dim=-1)
    return torch.addcmul(x * cos, swapped, sin, value=direction)


def before_norm(grad: Tensor, unit: Tensor, length: Tensor) -> Tensor:
    """The gradient of x from that of unit = x / sqrt(|x|^2 + epsilon^2), rows (n, hidden)."""
    along = (grad * unit).sum(1, keepdim=True)
    return torch.addcmul(grad, unit, along, value=-1) / length
