"""How a model is held and updated while it is trained: the same settings for SFT, reward models, RL and Q-values."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.artifact import StageConfig

Precision = Literal["float32", "bfloat16"]


class LoraConfig(StageConfig):
    """Low-rank updates of frozen weights (LoRA, arXiv:2106.09685, section 4.1): W + alpha / rank * B A."""

    rank: int = Field(16, gt=0, description="r: rows of A and columns of B")
    alpha: float = Field(32.0, gt=0, description="the update is scaled by alpha / rank")
    targets: tuple[str, ...] = Field(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        min_length=1,
        description="names of the linear layers that are updated",
    )


class TuningConfig(StageConfig):
    """What of a model is trained, in which precision, and how much memory that takes (docs/qwen.md)."""

    lora: LoraConfig | None = Field(
        None,
        description="train low-rank updates only, merged before the checkpoint is stored; null: all weights",
    )
    weights: Precision = Field(
        "float32",
        description="precision that weights are held and stored in; bfloat16 loses most of a small update of all "
        "weights, so it goes with lora",
    )
    autocast: bool = Field(False, description="multiply in bfloat16, on GPUs that have it")
    gradient_checkpointing: bool = Field(
        False,
        description="keep each layer's input only and compute the rest again: a third more compute, far less memory",
    )
    micro_batch: int | None = Field(
        None,
        gt=0,
        description="most sequences that go through the model at once; an update adds up their gradients. null: all",
    )
