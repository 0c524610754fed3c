"""ablations/active: what its selectors, arms and result take. Pool and held-out solutions are a round's solutions."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.experiments.active_learning.config import (
    ActiveArmConfig,
    ActiveResultConfig,
    ActiveSelectorConfig,
)
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known
from o1_assets.plan.labels import rated_of_one
from o1_assets.reward.config import PRMConfig

SCORE_BYTES = 40.0
"""A row of scores: an id and four numbers."""


MEASURES, VALUE_BYTES = 6, 1.0
"""Best of 2, 4, ... 64 of each problem."""


TABLE = 16_000.0


def scores(artifact: Artifact, config: ActiveSelectorConfig, known: Known) -> Estimate:
    """One training; the different solutions of the pool are read by two PRMs, and by the generator."""
    cost = _trained(config.prm, known, 0.0)
    read, different = _read(artifact, "pool", known, config.prm)
    cost += known.score(read * known.passes(2))
    return Estimate(examples=config.solutions, cost=cost, stored=different * SCORE_BYTES)


def arm(artifact: Artifact, config: ActiveArmConfig, known: Known) -> Estimate:
    """A training and a reading of the held-out solutions at each size. An exact checker's labels are nobody's time."""
    sizes = len(config.sizes)
    replayed = 1 - config.prm.newest_share if "labels" in artifact.inputs else 0.0
    cost, one = Cost(), _trained(config.prm, known, replayed)
    read, _ = _read(artifact, "held_out", known, config.prm)
    for _ in range(sizes):
        cost += one + known.score(read)
    held_out = known.of(artifact, "held_out")
    values = sizes * held_out.problems * MEASURES * VALUE_BYTES
    return Estimate(held_out.problems, examples=max(config.sizes), cost=cost, stored=TABLE + values)


def result(artifact: Artifact, config: ActiveResultConfig, known: Known) -> Estimate:
    """Tables and charts; nothing is trained or read by a model."""
    return Estimate(stored=2 * TABLE + 4 * PLOT)


def _trained(config: PRMConfig, known: Known, replayed: float) -> Cost:
    """Chosen solutions are read to their first wrong step; phase 1's, replayed, with their alternatives."""
    typical = known.typical
    prompt = typical.prompt_tokens(config.prompt)
    chosen = prompt + rated_of_one(1, known)[0] * typical.step_tokens
    first = prompt + sum(rated_of_one(0, known)) * typical.step_tokens
    each = (1 - replayed) * chosen + replayed * first
    return known.train(config.updates * config.batch_size * each, config)


def _read(artifact: Artifact, name: str, known: Known, config: PRMConfig) -> tuple[float, float]:
    """Tokens of the different solutions of an input, each problem's shared prefixes once, and how many there are."""
    pool, policy = known.of(artifact, name), known.profile.ablations.active.round
    rounds, each = min(policy, known.profile.rounds) + 1, pool.samples / max(1.0, pool.problems)
    longest = known.profile.later_solutions.prompt.max_tokens
    read = known.distinct(known.typical.prompt_tokens(config.prompt), each, rounds, longest)
    return pool.problems * read, pool.problems * each ** known.typical.novelty(rounds)
