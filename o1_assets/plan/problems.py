"""problems/train, problems/test."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import Known
from o1_assets.problems.config import ProblemsConfig

TABLE = 4_000.0
"""Bytes of a Parquet file of a few columns without a row."""


def problems(artifact: Artifact, config: ProblemsConfig, known: Known) -> Estimate:
    """As many as the profile wants, each with its metadata."""
    count = config.test if artifact.key.endswith("/test") else config.train
    letters = known.typical.question_tokens * known.typical.bytes_a_token
    return Estimate(problems=count, stored=TABLE + count * (20 + letters))
