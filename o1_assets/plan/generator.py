"""generator/samples, generator/sft_set, generator/model."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact
from o1_assets.generator.config import SamplesConfig, SftConfig, SftSetConfig
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import Known
from o1_assets.plan.problems import TABLE
from o1_assets.plan.sampling import solutions_bytes


def samples(artifact: Artifact, config: SamplesConfig, known: Known) -> Estimate:
    """Of the base, several a problem."""
    problems = min(config.problems, known.of(artifact, "train").problems)
    count = problems * config.per_problem
    tokens = count * min(known.typical.solution_tokens, config.prompt.max_tokens)
    stored = solutions_bytes(known, problems, config.per_problem, 0)
    return Estimate(problems, count, cost=known.generate(tokens), stored=stored)


def sft_set(artifact: Artifact, config: SftSetConfig, known: Known) -> Estimate:
    """The right ones, so many a problem at most; of problems without any, their publishers' own if these are taken."""
    sampled, share = known.of(artifact, "samples"), known.typical.kept_share
    kept = min(sampled.samples * share, sampled.problems * config.per_problem)
    if config.references is not None:
        kept += sampled.problems * (1 - share) ** (sampled.samples / sampled.problems)
    letters = (
        (known.typical.question_tokens + known.typical.solution_tokens) * known.typical.bytes_a_token / 2
    )
    return Estimate(examples=kept, stored=TABLE / 2 + kept * letters)


def generator(artifact: Artifact, config: SftConfig, known: Known) -> Estimate:
    """One epoch on the prompt and the solution."""
    examples = known.of(artifact, "sft_set").examples
    each = known.typical.prompt_tokens(config.prompt) + known.typical.solution_tokens
    cost = known.train(examples * min(each, config.max_length), config)
    return Estimate(examples=examples, cost=cost, stored=known.checkpoint())
