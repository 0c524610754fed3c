"""Low-rank training by peft's layers, put into a model in place: it stays the class that every trainer knows.

What is stored is the merged model, never an adapter: it is opened by everything that opens a checkpoint, and an
artifact is whole by itself, whatever becomes of the one it was trained from. What a killed training goes on from
holds the trained parameters alone.
"""

from __future__ import annotations

from typing import Any

from o1_assets.engine.training.config import LoraConfig

MISSING = (
    "lora needs the package peft: install the extra (`pip install 'o1-assets[lora]'`), or train all weights with "
    "a setting of null, as the nano profile does"
)


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
    from importlib.util import find_spec

    if find_spec("peft") is None:
        return
    from peft.tuners.lora import LoraLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge()
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, layer.get_base_layer())
    if hasattr(model, "peft_config"):
        del model.peft_config
    for parameter in model.parameters():
        parameter.requires_grad_(True)
