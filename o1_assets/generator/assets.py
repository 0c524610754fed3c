"""generator/samples, generator/sft_set and generator/model (GPT*)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.generator.samples import make_samples
from o1_assets.generator.sft import make_generator
from o1_assets.generator.sft_set import make_sft_set

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def generator_artifacts(profile: Profile) -> list[Artifact]:
    return [
        Artifact(
            key="generator/samples",
            compute=make_samples,
            config=profile.samples,
            inputs={"base": "base/model", "train": "problems/train"},
            seed=profile.seed_of("generator/samples"),
            group="generator",
            description="Step-by-step solutions by the prompted base model, several a problem.",
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
        ),
        Artifact(
            key="generator/sft_set",
            compute=make_sft_set,
            config=profile.sft_set,
            inputs={"samples": "generator/samples", "train": "problems/train"},
            seed=profile.seed_of("generator/sft_set"),
            group="generator",
            description="The samples whose final answer is correct (Lightman et al. 2023, section 2.4).",
            kinds=("parquet", "polars"),
        ),
        Artifact(
            key="generator/model",
            compute=make_generator,
            config=profile.sft,
            inputs={"base": "base/model", "sft_set": "generator/sft_set"},
            seed=profile.seed_of("generator/model"),
            group="generator",
            description="GPT*: the base after one epoch on its own correct solutions. It teaches the format.",
            kinds=("pytorch", "huggingface"),
            resource_class=profile.class_of_training,
            launches=True,
        ),
    ]
