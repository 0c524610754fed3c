"""problems/ood and ablations/pools: what the experiments judge on."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.pools.config import OodConfig, PoolConfig
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import Known
from o1_assets.plan.problems import TABLE
from o1_assets.plan.sampling import solutions_bytes

LONGER = 1.15
"""Tokens of a solution out of distribution, against others (nano's three kinds, measured)."""


SCORE_BYTES = 2.0
"""Of a score in a pool's table; equal solutions have equal ones."""


def ood(artifact: Artifact, config: OodConfig, known: Known) -> Estimate:
    """As many of each kind as it wants, each with its metadata."""
    count = sum(kind.problems.test for kind in config.kinds)
    letters = known.typical.question_tokens * known.typical.bytes_a_token
    return Estimate(problems=count, stored=TABLE + count * (20 + letters))


def pool(artifact: Artifact, config: PoolConfig, known: Known) -> Estimate:
    """Sampled, and what is distinct read once by the generator."""
    problems = min(config.problems, known.of(artifact, "problems").problems)
    longer = LONGER if artifact.inputs["problems"].endswith("/ood") else 1.0
    each = min(known.typical.solution_tokens * longer, config.prompt.max_tokens)
    prompt = known.typical.prompt_tokens(config.prompt)
    read = longer * known.distinct(prompt, config.samples, 0, config.prompt.max_tokens)
    cost = known.generate(problems * config.samples * each) + known.score(problems * read)
    stored = solutions_bytes(known, problems, config.samples, 0) + problems * config.samples * SCORE_BYTES
    return Estimate(problems, problems * config.samples, cost=cost, stored=stored)
