"""base/model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.artifact import Artifact
from o1_assets.base.pretrain import make_base

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def base_artifacts(profile: Profile) -> list[Artifact]:
    return [
        Artifact(
            key="base/model",
            compute=make_base,
            config=profile.base,
            inputs={"test": "problems/test"},
            seed=profile.seed_of("base/model"),
            group="base",
            description="The pre-trained model: a Llama trained from scratch on generated step-by-step arithmetic that "
            "is wrong the way people are. The test problems' expressions are kept out of the corpus.",
            kinds=("pytorch", "huggingface"),
            resource_class=profile.model_class,
        )
    ]
