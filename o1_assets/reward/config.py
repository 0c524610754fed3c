"""Every number of the reward models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.base.config import CorpusConfig
from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.config import TuningConfig

# Default of `RewardModelConfig.score_tokens`.
SCORE_TOKENS = 2048


class RewardModelConfig(StageConfig):
    """What the PRM and the ORM share: the extra input, the optimizer, the amount of training."""

    probability_feature: bool = Field(
        True, description="tell the model how unlikely the generator found each step; for tiny verifiers only"
    )
    probability_edges: tuple[float, ...] = Field(
        (-8.0, -5.0, -3.5, -2.5, -1.7, -1.1, -0.7, -0.4, -0.2, -0.08, -0.02),
        min_length=2,
        description="log-probabilities, rising, at which the feature's embedding is learned",
    )
    updates: int = Field(250, gt=0, description="optimizer updates; equal for models that are compared")
    batch_size: int = Field(16, gt=0, description="solutions an update, each with its labelled alternatives")
    newest_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of a batch that is from the newest round; the rest is replay",
    )
    optimizer: Literal["muon", "adamw"] = Field(
        "muon",
        description="muon: for the layers' matrices, AdamW for the rest; adamw: for all, as for pre-trained models",
    )
    muon_lr: float = Field(6e-3, gt=0, description="learning rate of the layers' matrices")
    adamw_lr: float = Field(2e-3, gt=0, description="learning rate of embeddings, norms and head")
    feature_lr: float = Field(1e-2, gt=0, description="learning rate of the probability feature")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the updates with a rising learning rate")
    class_balance: float = Field(
        0.0, ge=0, le=1, description="class weights are count ** -class_balance: 0 none, 1 all classes alike"
    )
    holdout: float = Field(
        0.1, ge=0, lt=1, description="share of the problems kept for judging, in all rounds"
    )
    score_tokens: int = Field(
        SCORE_TOKENS,
        gt=0,
        description="tokens a batch when the model reads, here and wherever it scores afterwards",
    )
    prompt: PromptFormat = PromptFormat()
    tuning: TuningConfig = TuningConfig()


class PRMConfig(RewardModelConfig):
    """The process reward model: three classes at each step's last token."""

    written_positive: bool = Field(
        False,
        description="train on steps that labellers wrote as positive ones; nobody rates what they wrote themselves, so "
        "that they are right is an assumption",
    )


class ORMConfig(RewardModelConfig):
    """The outcome reward model: is the final answer right."""

    solutions: int | None = Field(
        None, gt=0, description="solutions of each round, drawn uniformly; None: all"
    )
    every_step: bool = Field(
        False,
        description="train on the outcome at every step's end; off: at the last only, where the score is read "
        "(nano, one seed, best of 16: .375 on, .399 off)",
    )


class PublishedPrm(StageConfig):
    """A published PRM, from which the first one of the rounds is fine-tuned."""

    folder: str = Field(description="where its config.json, tokenizer and weights in safetensors are")
    weights: Literal["float32", "bfloat16"] = Field("float32", description="precision in which it is stored")


class HomeworkConfig(StageConfig):
    """Graded homework, which a verifier reads before it sees any label."""

    pages: int = Field(70_000, gt=0, description="pages, each a question with what several pupils answered")
    pupils: int = Field(5, gt=0, description="pupils on a page")
    curriculum: float = Field(
        0.2, gt=0, le=1, description="share of the pages after which expressions grow by another term"
    )
    drill_share: float = Field(0.25, ge=0, le=1, description="share of the pages that ask a single operation")
    drill_pupils: int = Field(10, gt=0, description="pupils on such a page")
    slip_rate: float = Field(
        0.12, ge=0, le=1, description="chance of each kind of slip in a step: order, copying, sum"
    )
    drill_slip_rate: float = Field(
        0.3, ge=0, le=1, description="chance of a wrong sum where one operation is left"
    )
    marker_scale: float = Field(
        0.3,
        ge=0,
        description="how often a teacher who marks holds a misconception, as a share of the writers of the corpus",
    )
    marker_slip_rate: float = Field(
        0.01, ge=0, le=1, description="chance that a teacher works an operation out wrongly"
    )
    repeat_rate: float = Field(
        0.06, ge=0, le=1, description="chance of a `check` or a needless `wait` before a step"
    )
    early_rate: float = Field(0.02, ge=0, le=1, description="chance of an answer before all is worked out")


class VerifierConfig(StageConfig):
    """The model that the reward models begin as: the base with more layers, pre-trained on graded homework."""

    homework: HomeworkConfig = HomeworkConfig()
    new_layers: int = Field(
        3,
        ge=0,
        description="decoder layers on top of the base's, which has none left to compare what it predicts",
    )
    batch_size: int = Field(16, gt=0, description="pages an update")
    muon_lr: float = Field(0.012, gt=0, description="Muon's learning rate, for the layers' matrices")
    adamw_lr: float = Field(3e-3, gt=0, description="AdamW's learning rate, for embeddings, norms and heads")
    warmup: int = Field(20, ge=0, description="updates of linear warm-up, before the linear decay to zero")
    max_grad_norm: float = Field(1.0, gt=0, description="gradient norm is clipped to this")
    autocast: bool = Field(
        False,
        description="multiply in bfloat16, on CPUs where the processor does; weights stay in float32",
    )
    symbol_weight: float = Field(
        1.0, ge=0, description="weight of the marks of single symbols: where a step goes wrong"
    )
    reading_weight: float = Field(
        0.3,
        ge=0,
        description="weight of predicting what pupils write as their teacher would have, as in the base's own training",
    )


class VerifierTask(StageConfig):
    """What base/verifier is made of. corpus: that of the base, whose people do and mark the homework."""

    corpus: CorpusConfig
    verifier: VerifierConfig
