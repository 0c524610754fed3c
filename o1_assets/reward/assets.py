"""base/verifier; the reward models themselves are declared with each round (`rounds/factory.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import Artifact
from o1_assets.reward.config import VerifierTask
from o1_assets.reward.estimate import estimate_verifier
from o1_assets.reward.verifier import make_verifier

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def verifier_artifacts(profile: Profile) -> list[Artifact]:
    if profile.verifier is None or not isinstance(profile.base, BaseConfig):
        return []
    return [
        Artifact(
            key="base/verifier",
            compute=make_verifier,
            config=VerifierTask(corpus=profile.base.corpus, verifier=profile.verifier),
            inputs={"base": "base/model", "test": "problems/test"},
            seed=profile.seed_of("base/verifier"),
            group="base",
            kinds=("pytorch", "huggingface"),
            description="What the reward models begin as: the base with more layers, pre-trained on graded homework. "
            "Marks in a corpus cost no labels; those who gave them hold misconceptions themselves.",
            resource_class=profile.model_class,
            estimate=estimate_verifier,
        )
    ]
