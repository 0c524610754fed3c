"""Prepares a model for the training that a `TuningConfig` asks for, and for being stored afterwards."""

from __future__ import annotations

from typing import Any

from o1_assets.engine.training.config import TuningConfig
from o1_assets.engine.training.lora import add_lora, merge_lora


def prepare(model: Any, tuning: TuningConfig, seed: int, also: tuple[Any, ...] = ()) -> None:
    """In place. also: modules that are new, and are trained as a whole whatever else is frozen."""
    if tuning.lora is None:
        return
    add_lora(model, tuning.lora, seed)
    for module in also:
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


def pieces(rows: int, tuning: TuningConfig, least: int = 1) -> int:
    """How many pieces a batch of `rows` is cut into."""
    return max(least, -(-rows // tuning.micro_batch) if tuning.micro_batch else 1)
