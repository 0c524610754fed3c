"""How a model is held and updated while it is trained: the same settings for SFT, reward models, RL and Q-values."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from o1_assets.core.artifact import StageConfig

Precision = Literal["float32", "bfloat16"]


class LoraConfig(StageConfig):
    """Low-rank updates of frozen weights (LoRA, arXiv:2106.09685, section 4.1): W + alpha / rank * B A."""

    rank: int = Field(16, gt=0, description="r: rows of A and columns of B")
    alpha: int = Field(32, gt=0, description="the update is scaled by alpha / rank")
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
        description="precision that weights are held and stored in; bfloat16 with lora and autocast only, because it "
        "rounds most of a small update away",
    )
    autocast: bool = Field(
        False,
        description="multiply in bfloat16, whatever the weights are held in; small Llamas on CPUs where the processor "
        "does",
    )
    gradient_checkpointing: bool = Field(
        False,
        description="keep each layer's input only and compute the rest again: a third more compute, far less memory",
    )
    micro_batch: int | None = Field(
        None,
        gt=0,
        description="most sequences that go through the model at once; an update adds up their gradients. null: all",
    )

    @model_validator(mode="after")
    def _updates_are_kept(self) -> Self:
        if self.weights == "bfloat16" and (self.lora is None or not self.autocast):
            raise ValueError("weights in bfloat16 need lora, whose updates stay in float32, and autocast")
        return self
