"""base/verifier; the reward models themselves are declared with each round (`rounds/factory.py`)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.base.config import BaseConfig
from o1_assets.base.pretrained import folder_version
from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import Estimate, EstimateContext, PlannedModel
from o1_assets.core.shape import read_shape
from o1_assets.reward.config import PublishedPrm, VerifierTask
from o1_assets.reward.estimate import estimate_verifier
from o1_assets.reward.published import check_published, make_published_prm
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
            inputs={"base": "base/model", **profile.kept_out},
            seed=profile.seed_of("base/verifier"),
            group="base",
            kinds=("pytorch", "huggingface"),
            description="What the reward models begin as: the base with more layers, pre-trained on graded homework. "
            "Marks in a corpus cost no labels; those who gave them hold misconceptions themselves.",
            resource_class=profile.model_class,
            estimate=estimate_verifier,
        )
    ]


def published_artifacts(profile: Profile) -> list[Artifact]:
    """base/prm, where the profile names a published PRM."""
    config = profile.published_prm
    if config is None:
        return []
    return [
        Artifact(
            key="base/prm",
            compute=make_published_prm,
            config=config,
            inputs={"base": "base/model"},
            seed=profile.seed_of("base/prm"),
            group="base",
            kinds=("pytorch", "huggingface"),
            description="A published PRM, which the PRM of the first round is fine-tuned from.",
            resource_class="cpu",
            preflight=partial(check_published, config),
            external=partial(folder_version, config.folder),
            estimate=estimate_published,
        )
    ]


def estimate_published(context: EstimateContext, config: PublishedPrm) -> Estimate:
    """Read and stored, nothing computed. The model is None where its shape is not known."""
    shape = read_shape(Path(config.folder) / "config.json")
    if shape is None:
        return Estimate()
    model = PlannedModel(shape, bytes_per_weight=2 if config.weights == "bfloat16" else 4)
    return Estimate(stored=model.stored, model=model)
