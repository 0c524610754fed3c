"""base/model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from o1_assets.base.config import BaseConfig
from o1_assets.base.pretrain import make_base
from o1_assets.base.pretrained import base_version, make_pretrained
from o1_assets.core.artifact import Artifact

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def base_artifacts(profile: Profile) -> list[Artifact]:
    common: dict[str, Any] = {
        "key": "base/model",
        "config": profile.base,
        "seed": profile.seed_of("base/model"),
        "group": "base",
        "kinds": ("pytorch", "huggingface"),
        "resource_class": profile.model_class,
    }
    if isinstance(profile.base, BaseConfig):
        return [
            Artifact(
                compute=make_base,
                inputs={"test": "problems/test"},
                description="The pre-trained model: a Llama trained from scratch on generated step-by-step "
                "arithmetic that is wrong the way people are. The test problems' expressions are kept out of the "
                "corpus.",
                **common,
            )
        ]
    config = profile.base
    pinned = {"external": lambda: base_version(config)} if config.kind == "folder" else {}
    return [
        Artifact(
            compute=make_pretrained,
            inputs={},
            description=f"The pre-trained model: {_origin(config)}.",
            **common | pinned | {"resource_class": "cpu"},
        )
    ]


def _origin(config: Any) -> str:
    match config.kind:
        case "hub":
            return f"{config.repo} at {config.revision[:8]}"
        case "gguf":
            return f"{config.file}, out of the package {config.distribution}"
    return "a checkpoint from a folder"
