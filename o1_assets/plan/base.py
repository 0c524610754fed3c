"""base/model: pre-trained here, or a checkpoint that others published."""

from __future__ import annotations

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import Artifact, StageConfig
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import Known


def pretrained_here(artifact: Artifact, config: BaseConfig, known: Known) -> Estimate:
    """One pass over the corpus."""
    solutions = config.corpus.solutions
    cost = known.train(solutions * known.typical.corpus_tokens, config)
    return Estimate(examples=solutions, cost=cost, stored=known.checkpoint())


def published(artifact: Artifact, config: StageConfig, known: Known) -> Estimate:
    """Fetched and stored, nothing computed."""
    return Estimate(stored=known.checkpoint())
