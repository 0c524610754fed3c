"""ablations: what the experiments' own trainings and their judge take. An arm of GRPO is estimated as a policy is."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.compute_curves.config import TwoCurvesConfig
from o1_assets.experiments.measure import ResultConfig
from o1_assets.experiments.search_in_rl.expert_iteration import ExpertConfig
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known, rounds_of_rl

BELIEVED = 0.3
"""Share of the different solutions of a problem that the reward models believe, which are kept (nano: 107 of 168
problems' three searches each)."""


MEASURES = 4


TABLES, VALUE_BYTES = 16_000.0, 1.0


def expert(artifact: Artifact, config: ExpertConfig, known: Known) -> Estimate:
    """Every problem is searched anew; what is believed is trained on about once, in whole batches."""
    typical = known.typical
    problems = config.updates * config.problems_per_update
    solution = min(typical.solution_tokens, config.prompt.max_tokens)
    prompt = typical.prompt_tokens(config.prompt)
    rounds = rounds_of_rl(artifact.inputs["policy"]) + 1
    cost = known.generate(problems * config.searches * config.branch * solution)
    reads = known.searched if config.branch > 1 else known.distinct
    searched = reads(prompt, config.searches * config.branch, rounds, config.prompt.max_tokens)
    found = known.distinct(prompt, config.searches, rounds, config.prompt.max_tokens)
    cost += known.score(problems * (searched * known.passes(1) + found * known.passes(2)))
    different = config.searches ** typical.novelty(rounds)
    kept = problems * min(config.per_problem, different * BELIEVED)
    rows = max(kept + config.updates / 2, config.updates)
    cost += known.train(rows * (prompt + solution), config)
    return Estimate(problems, problems * config.searches, cost=cost, stored=known.checkpoint() - PLOT)


def result(artifact: Artifact, config: ResultConfig, known: Known) -> Estimate:
    """Every training of every arm: samples and one greedy solution a problem, scored by both reward models and by the
    generator alone."""
    judge, typical = config.judge, known.typical
    problems = min(judge.problems, known.of(artifact, "test").problems)
    policies = len(config.arms) * config.seeds
    each = min(typical.solution_tokens, judge.prompt.max_tokens)
    cost = known.generate(policies * problems * (judge.samples + 1) * each)
    prompt, rounds = typical.prompt_tokens(judge.prompt), rounds_of_rl(artifact.inputs["prm"])
    read = known.distinct(prompt, judge.samples, rounds, judge.prompt.max_tokens)
    cost += known.score(policies * problems * read * (known.passes(2) + 1))
    stored = MEASURES * PLOT + TABLES + policies * MEASURES * problems * VALUE_BYTES
    return Estimate(problems, policies * problems * judge.samples, cost=cost, stored=stored)


def two_curves(artifact: Artifact, config: TwoCurvesConfig, known: Known) -> Estimate:
    """It reads tables: four charts and two pictures of two."""
    return Estimate(stored=8 * PLOT + TABLES)
