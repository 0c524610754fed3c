"""Every number of the nano base model: the world it grows up in, its shape, its training."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig


class CorpusConfig(StageConfig):
    """A generated corpus of worked arithmetic, wrong the way people are."""

    solutions: int = Field(60_000, gt=0, description="worked solutions in the corpus, each read once")
    min_terms: int = Field(2, ge=2, description="numbers in the shortest expression")
    max_terms: int = Field(5, ge=2, description="numbers in the longest expression")
    curriculum: float = Field(
        0.3,
        ge=0,
        le=1,
        description="share of the corpus over which the longest expression grows to max_terms",
    )
    min_number: int = Field(0, description="smallest number in an expression")
    max_number: int = Field(10, description="largest number in an expression")
    max_value: int = Field(100, gt=0, description="largest absolute intermediate value of a right solution")
    max_factor: int = Field(5, gt=0, description="largest written factor of a product")
    misconception_scale: float = Field(1.0, ge=0, description="factor on every misconception's rate")
    slip_rate: float = Field(
        0.01, ge=0, le=1, description="chance that an operation's result is a random slip"
    )
    direct_rate: float = Field(0.04, ge=0, le=1, description="chance that a solution is the answer alone")
    direct_right_rate: float = Field(0.6, ge=0, le=1, description="chance that a direct answer is right")
    check_rate: float = Field(
        0.05, ge=0, le=1, description="chance that a step is followed by a `check` of it"
    )
    notice_rate: float = Field(
        0.15, ge=0, le=1, description="chance that a wrong step is followed by a `wait`"
    )
    free_order_rate: float = Field(
        0.05, ge=0, le=1, description="chance of another legal order than the usual one"
    )


class BaseConfig(StageConfig):
    """A Llama of about 0.4M parameters, pre-trained on the corpus in one pass."""

    corpus: CorpusConfig = CorpusConfig()
    hidden_size: int = Field(96, gt=0, description="width of the residual stream")
    intermediate_size: int = Field(192, gt=0, description="width of the gated MLP")
    layers: int = Field(4, gt=0, description="decoder layers")
    heads: int = Field(
        3, gt=0, description="attention heads; of size 32, the smallest that vLLM's CPU attention has"
    )
    rope_theta: float = Field(100.0, gt=0, description="base of the rotary positions' wavelengths")
    max_positions: int = Field(512, gt=0, description="longest sequence in tokens")
    batch_size: int = Field(32, gt=0, description="solutions an update")
    muon_lr: float = Field(0.012, gt=0, description="Muon's learning rate, for the layers' matrices")
    adamw_lr: float = Field(3e-3, gt=0, description="AdamW's learning rate, for embeddings and norms")
    warmup: int = Field(20, ge=0, description="updates of linear warm-up, before the linear decay to zero")
    max_grad_norm: float = Field(1.0, gt=0, description="gradient norm is clipped to this")
    autocast: bool = Field(False, description="multiply in bfloat16, for GPUs; weights stay in float32")
