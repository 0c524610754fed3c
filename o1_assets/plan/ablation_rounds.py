"""ablations/rounds, ablations/versions and ablations/kinds: what arms of many rounds and their judges take."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.evaluation.config import SUBSETS_OF
from o1_assets.experiments.error_kinds.config import KindsResultConfig
from o1_assets.experiments.rounds.config import ArmConfig
from o1_assets.experiments.rounds.result import RoundsResultConfig
from o1_assets.experiments.versions.config import VersionsConfig
from o1_assets.plan import policy as policies
from o1_assets.plan import reward
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known

TABLES, VALUE_BYTES = 30_000.0, 2.0


ALIKE = 0.55
"""Share of the sampled solutions that are left when none stands twice."""


def arm(artifact: Artifact, config: ArmConfig, known: Known) -> Estimate:
    """Each round's stages, with the sizes of the arm; all labels at once are as many. What its own machine rates is
    not counted as labels: those are the run's."""
    rounds, typical = config.rounds, known.typical
    cost, stored, rated = Cost(), TABLES, 0.0
    if config.label:
        times = 1 if config.at_once else rounds
        problems = min(config.solutions.problems, known.of(artifact, "train").problems)
        pool = problems * config.solutions.samples
        chosen = min(config.selection.solutions, pool)
        drawn = chosen * typical.steps * (config.selection.completions - 1)
        written = pool * typical.solution_tokens + drawn * typical.step_tokens
        cost += known.generate(times * written)
        if config.selection.strategy != "uniform":
            prompt = typical.prompt_tokens(config.selection.prompt)
            each = known.distinct(prompt, config.solutions.samples, 2, config.solutions.prompt.max_tokens)
            cost += known.score(times * problems * each * known.passes(1))
        rated = times * chosen
        for k in range(1, rounds + 1):
            cost += _prm(artifact, config, known, rated if config.at_once else rated * k / rounds)
        stored += rounds * known.checkpoint(heads=3)
    if config.reinforce:
        once = policies.policy(artifact, config.policy, known)
        cost = sum((once.cost for _ in range(rounds)), cost)
        stored += known.checkpoint()
    return Estimate(cost=cost, stored=stored)


def _prm(artifact: Artifact, config: ArmConfig, known: Known, new: float) -> Cost:
    """Of a PRM on the labels of round 0 and on `new` solutions of later rounds."""
    first = known.of(artifact, "labels").examples
    early, late = (reward.rated_tokens(config.prm, k, known) for k in (0, 1))
    pooled = (first * early + new * late) / max(1.0, first + new)
    drawn = config.prm.newest_share * late + (1 - config.prm.newest_share) * pooled
    return reward.trained(config.prm, known, first + new, drawn, pooled, heads=3).cost


def result(artifact: Artifact, config: RoundsResultConfig, known: Known) -> Estimate:
    """Every last policy samples; its PRM reads that, GPT*'s samples, and with all others a fixed pool."""
    judge, typical, rounds = config.judge, known.typical, config.rounds
    problems = min(judge.problems, known.of(artifact, "test").problems)
    trained = len(config.arms) * config.seeds
    cost = known.generate(trained * problems * judge.samples * typical.solution_tokens)
    prompt = typical.prompt_tokens(judge.prompt)
    read = known.distinct(prompt, judge.samples, 2, judge.prompt.max_tokens)
    cost += known.score(trained * problems * read * known.passes(1))
    held_out = min(known.of(artifact, "pool").problems, known.of(artifact, "test").problems)
    read = known.distinct(prompt, rounds.best_of, 0, judge.prompt.max_tokens)
    cost += known.score(held_out * read * (trained + known.reads_generator))
    pool = trained * rounds.pool_solutions * ALIKE
    tokens = problems * known.distinct(prompt, pool / problems, 2, judge.prompt.max_tokens)
    prms = 1 + PRM_ARMS * config.seeds * rounds.rounds
    cost += known.score(tokens * (prms + known.reads_generator))
    values = trained * problems * 8 * VALUE_BYTES
    stored = 2 * PLOT + TABLES + values + pool * typical.solution_tokens * typical.bytes_a_token
    return Estimate(problems, trained * problems * judge.samples, cost=cost, stored=stored)


PRM_ARMS = 5
"""Arms that train a PRM."""


def versions(artifact: Artifact, config: VersionsConfig, known: Known) -> Estimate:
    """Every PRM of the run reads GPT*'s samples."""
    prms = len(known.all_of(artifact, "prm_"))
    problems = min(known.of(artifact, "pool").problems, known.of(artifact, "test").problems)
    prompt = known.typical.prompt_tokens(config.prompt)
    read = known.distinct(
        prompt, SUBSETS_OF * config.best_of, 0, known.profile.headline_eval.prompt.max_tokens
    )
    cost = known.score(problems * read * (prms + known.reads_generator))
    return Estimate(problems, cost=cost, stored=2 * PLOT + TABLES)


def kinds(artifact: Artifact, config: KindsResultConfig, known: Known) -> Estimate:
    """Every reward model of the run reads a pool of GPT*'s and the last policy's solutions."""
    models = len(known.all_of(artifact, "prm_")) + len(known.all_of(artifact, "orm_"))
    problems = known.of(artifact, "generator_eval").problems
    prompt = known.typical.prompt_tokens(config.prompt)
    read = known.distinct(prompt, 2 * config.samples, 1, known.profile.headline_eval.prompt.max_tokens)
    return Estimate(
        problems,
        cost=known.score(problems * read * (models + known.reads_generator)),
        stored=5 * PLOT + TABLES,
    )
