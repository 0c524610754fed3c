"""transformers' Llama with the layers of `llama_layers.py`, wherever these compute the same."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM, LlamaForTokenClassification
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.models.llama.modeling_llama import LlamaModel, LlamaRMSNorm

from o1_assets.engine.llama_layers import NAMES, Layers, attention_bias, fits, multiplied_in, signed


class FusedLlama(LlamaModel):
    """A LlamaModel that computes its layers with `Layers` wherever that is possible, and as before elsewhere."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """As LlamaModel.forward."""
        # Without a word about it a model keeps a cache, which nobody wants of one that is trained.
        cached = (
            past_key_values is not None or (use_cache is None and not torch.is_grad_enabled()) or use_cache
        )
        more = any(value is not None and value is not False for value in kwargs.values())
        weights = None if cached or more else self._plain_weights()
        if weights is None:
            return super().forward(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=past_key_values,
                inputs_embeds=inputs_embeds,
                use_cache=use_cache,
                **kwargs,
            )
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        rows, new, _ = x.shape
        if position_ids is None:
            position_ids = torch.arange(new)[None]
        cos, signed_sin = signed(*self.rotary_emb(x, position_ids.expand(rows, new)))
        shape = (rows, new, self.config.num_attention_heads)
        bias = attention_bias(attention_mask, *shape)
        return BaseModelOutputWithPast(
            last_hidden_state=Layers.apply(
                x, cos, signed_sin, bias, self.config.rms_norm_eps, shape, multiplied_in(rows * new), *weights
            )
        )

    def _plain_weights(self) -> list[Tensor] | None:
        """The weights of all layers and the last norm; None where they are not alone in what the layers compute."""
        norm = self.norm.weight
        other = norm.device.type != "cpu" or norm.dtype != torch.float32
        if other or (self.training and self.gradient_checkpointing):
            return None
        # Not get_submodule for each name: Python's lock is held here, and this comes with every batch.
        weights: list[Tensor] = []
        for layer in self.layers:
            children = cast(Any, layer)
            parts = {**layer._modules, **children.self_attn._modules, **children.mlp._modules}
            modules = [parts[name] for name in NAMES]
            # Low-rank updates are modules in the places of these.
            if not {type(module) for module in modules} <= {nn.Linear, LlamaRMSNorm}:
                return None
            weights += [cast(Tensor, module._parameters["weight"]) for module in modules if module]
        return [*weights, norm]


class ExactHead(nn.Linear):
    """A head that multiplies in float32, under autocast too.

    It is a small part of a small model, and it reads as many rows as a batch has labels: another number each time, for
    which oneDNN would compile a product in bfloat16 anew (`llama_layers.padded`).
    """

    def forward(self, input: Tensor) -> Tensor:
        """From (..., hidden) to (..., out), in the weights' precision."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))


def fuse(model: Any) -> Any:
    """The same model, whose layers are from now on computed by `Layers` if it is one that these compute, and whose head
    by `ExactHead`."""
    base = model.base_model
    if (
        type(base) is LlamaModel
        and isinstance(model, LlamaForCausalLM | LlamaForTokenClassification)
        and fits(base.config, sum(parameter.numel() for parameter in base.parameters()))
    ):
        base.__class__ = FusedLlama
        for module in model.children():
            if type(module) is nn.Linear:
                module.__class__ = ExactHead
    return model
