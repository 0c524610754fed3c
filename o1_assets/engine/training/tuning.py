"""Prepares a model for the training that a `TuningConfig` asks for, and for being stored afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from o1_assets.engine.training.config import LoraConfig, TuningConfig

MISSING = (
    "lora needs the package peft: install the extra (`pip install 'o1-assets[lora]'`), or train all weights with "
    "a setting of null, as the nano profile does"
)


def prepare(model: Any, tuning: TuningConfig, seed: int, extra_modules: tuple[Any, ...] = ()) -> None:
    """Puts LoRA layers into the model, in place, if `tuning` asks for them.

    extra_modules: new modules, which are trained as a whole whatever else is frozen.
    """
    if tuning.lora is None:
        return
    add_lora(model, tuning.lora, seed)
    for module in extra_modules:
        module.requires_grad_(True).float()


def finish(model: Any, tuning: TuningConfig) -> None:
    """The plain model again, in the precision it is stored in."""
    if tuning.lora is not None:
        merge_lora(model)
    if tuning.weights == "bfloat16":
        import torch

        model.to(torch.bfloat16)


def trainer_arguments(tuning: TuningConfig) -> dict[str, Any]:
    """Arguments of transformers' and TRL's trainers."""
    chosen: dict[str, Any] = {
        "bf16": tuning.autocast,
        "gradient_checkpointing": tuning.gradient_checkpointing,
    }
    if tuning.gradient_checkpointing:
        # The older way needs an input that wants a gradient, which frozen embeddings are not.
        chosen["gradient_checkpointing_kwargs"] = {"use_reentrant": False}
    return chosen


def pieces(rows: int, tuning: TuningConfig, minimum: int = 1) -> int:
    """How many pieces a batch of `rows` is cut into."""
    return max(minimum, -(-rows // tuning.micro_batch) if tuning.micro_batch else 1)


# LoRA by peft's layers, put into a model in place: it stays the class that every trainer knows. What is stored is the
# merged model, never an adapter: everything that opens a checkpoint opens it, and an artifact is whole by itself,
# whatever becomes of the one it was trained from.


def add_lora(model: Any, config: LoraConfig, seed: int) -> None:
    """Freezes the model and puts trainable low-rank updates beside the target layers. They begin at zero.

    Raises ValueError if no layer has one of the names, ImportError without peft.
    """
    import torch

    try:
        from peft import LoraConfig as PeftConfig
        from peft import inject_adapter_in_model
    except ImportError as error:
        raise ImportError(MISSING) from error

    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    unknown = sorted(set(config.targets) - names)
    if unknown:
        raise ValueError(f"lora targets {', '.join(unknown)}: the model has no layer of that name")
    torch.manual_seed(seed)
    wanted = PeftConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(config.targets))
    inject_adapter_in_model(wanted, model)
    for parameter in model.parameters():
        if parameter.requires_grad:  # in bfloat16 most of a small update would be rounded away
            parameter.data = parameter.data.float()


def merge_lora(model: Any) -> None:
    """Adds the updates to the weights and takes peft's layers out again; a model without them stays as it is."""
    if find_spec("peft") is None:
        return
    from peft.tuners.lora import LoraLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge()  # W + alpha / rank * B A, in place
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, layer.get_base_layer())
    if hasattr(model, "peft_config"):
        del model.peft_config
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def plain_weights(model: Any) -> Iterator[tuple[str, Any]]:
    """(name, weight) of the model that `finish` would store, LoRA's updates added; the model itself stays as it is."""
    layers: dict[str, Any] = {}
    if find_spec("peft") is not None:
        from peft.tuners.lora import LoraLayer

        layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    for name, parameter in model.named_parameters():
        value = parameter.detach()
        of_layer, base, kind = name.rpartition(".base_layer.")
        if base and kind == "weight":
            value = value + layers[of_layer].get_delta_weight("default").detach().to(value.dtype)
        if not any(name.startswith(f"{layer}.lora_") for layer in layers):
            yield f"{of_layer}.{kind}" if base else name, value
