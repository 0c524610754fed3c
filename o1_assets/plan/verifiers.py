"""ablations/verifiers: its trainings, the scores of a seed's models, the result."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.experiments.verifiers.config import ScoresConfig, TrainingConfig, VerifiersResultConfig
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known
from o1_assets.plan.labels import rated_of_one
from o1_assets.plan.pools import SCORE_BYTES
from o1_assets.reward.config import PRMConfig

CHARTS = 5


TABLES = 40_000.0


CURVES = 40
"""Selectors times N, on a pool and seed: each row has a value a problem."""


VALUE_BYTES = 2.0


PRM_COLUMNS = 4


def training(artifact: Artifact, config: TrainingConfig, known: Known) -> Estimate:
    """A PRM reads a solution up to its first wrong step, and the alternatives if they were rated; an ORM all of it."""
    typical, own = known.typical, config.training
    available = known.of(artifact, "solutions" if config.solutions is None else "labelled").samples
    examples = min(config.solutions or available, available)
    prompt = typical.prompt_tokens(own.prompt)
    row = prompt + typical.solution_tokens
    if isinstance(own, PRMConfig):
        rated, alternatives = rated_of_one(0, known)
        steps = rated + (alternatives if config.supervision == "labels" else 0.0)
        row = prompt + steps * typical.step_tokens
    cost = known.train(own.updates * own.batch_size * row, own)
    cost += known.score(examples * row) if own.probability_feature else Cost()
    if "large" in artifact.inputs:
        cost += known.score(examples * (prompt + typical.solution_tokens) * known.passes(1))
    heads = 3 if isinstance(own, PRMConfig) else 2
    return Estimate(examples=examples, cost=cost, stored=known.checkpoint(heads))


def scores(artifact: Artifact, config: ScoresConfig, known: Known) -> Estimate:
    """Main models read whole pools, the others a part; the generator reads both once."""
    prompt, cost, stored = known.typical.prompt_tokens(config.prompt), Cost(), 4 * 4_000.0
    rows = 0.0
    for name in ("test", "ood"):
        pool, longest = known.of(artifact, name), known.profile.ablations.judge.prompt.max_tokens
        each = pool.samples / pool.problems
        part = min(config.problems, pool.problems)
        samples = min(config.samples, each)
        rest = len(config.arms) - len(config.main)
        whole = pool.problems * known.distinct(prompt, each, 0, longest)
        cost += known.score(whole * known.passes(len(config.main)))
        cost += known.score(part * known.distinct(prompt, samples, 0, longest) * known.passes(rest))
        rows += pool.samples + part * samples
        stored += SCORE_BYTES * PRM_COLUMNS * (pool.samples * len(config.main) + part * samples * rest)
    return Estimate(samples=rows, cost=cost, stored=stored)


def result(artifact: Artifact, config: VerifiersResultConfig, known: Known) -> Estimate:
    """Nothing is computed by a model."""
    problems = sum(known.of(artifact, name).problems for name in ("test", "ood"))
    stored = CHARTS * PLOT + TABLES + config.seeds * problems * CURVES * VALUE_BYTES
    return Estimate(problems=problems, stored=stored)
