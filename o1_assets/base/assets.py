"""base/model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from o1_assets.base.config import PretrainedConfig, TrainedBase
from o1_assets.base.pretrain import make_base
from o1_assets.base.pretrained import base_version, make_pretrained
from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import Estimate, EstimateContext, PlannedModel, trained
from o1_assets.core.shape import DecoderShape, shape_from
from o1_assets.problems.worlds.registry import WORLDS

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
    if isinstance(profile.base, TrainedBase):
        return [
            Artifact(
                compute=make_base,
                inputs=profile.kept_out,
                description="The pre-trained model: a Llama trained from scratch on "
                + WORLDS[profile.base.world].description,
                estimate=estimate_base,
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
            estimate=estimate_pretrained,
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


def estimate_base(context: EstimateContext, config: TrainedBase) -> Estimate:
    """One pass over the corpus, with weights in float32."""
    shape = DecoderShape(
        config.hidden_size,
        config.intermediate_size,
        config.layers,
        config.heads,
        config.heads,
        len(WORLDS[config.world].vocabulary.tokens),
        tied=False,
    )
    model, solutions = PlannedModel(shape), config.corpus.solutions
    cost = trained(model, solutions * context.assumptions.corpus_tokens, config)
    return Estimate(examples=solutions, cost=cost, stored=model.stored, model=model)


def estimate_pretrained(context: EstimateContext, config: PretrainedConfig) -> Estimate:
    """Fetched and stored, nothing computed. The model is None where its shape is not known."""
    shape = shape_from(config)
    if shape is None:
        return Estimate()
    model = PlannedModel(shape, bytes_per_weight=2 if config.weights == "bfloat16" else 4)
    return Estimate(stored=model.stored, model=model)
