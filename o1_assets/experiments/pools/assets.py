"""problems/ood, ablations/pools/test and ablations/pools/ood."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import ROW, Estimate, EstimateContext
from o1_assets.experiments.experiment import ablation, base_of
from o1_assets.experiments.pools.config import OodConfig, PoolConfig
from o1_assets.experiments.pools.measure import make_ood, make_pool
from o1_assets.problems.assets import problem_table
from o1_assets.problems.config import ArithmeticFilter
from o1_assets.problems.split import check_source
from o1_assets.reward.estimate import distinct_tokens

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


OOD, TEST_POOL, OOD_POOL = "problems/ood", "ablations/pools/test", "ablations/pools/ood"


def artifacts(profile: Profile) -> list[Artifact]:
    """The problems out of distribution, and GPT*'s solutions of them and of problems/test."""
    config, judge = profile.ablations.pools, profile.ablations.judge
    corpus = base_of(profile).corpus
    # Out of distribution is what lies beyond the corpus that the base of this very graph was pre-trained on; and what
    # is longer than all that is labelled and trained on, of which the corpus has the length, but not the problems.
    limits = ArithmeticFilter(
        min_terms=corpus.min_terms,
        max_terms=corpus.max_terms,
        max_value=corpus.max_value,
        max_factor=corpus.max_factor,
    )
    ood = ablation(
        profile,
        OOD,
        make_ood,
        config.ood.model_copy(update={"corpus": limits}),
        {"longer": "problems/longer"} if profile.longer_problems else {},
        "Held-out problems that are longer, have larger numbers, or come from another generator.",
        opens_models=False,
        estimate=estimate_ood,
    )

    def check_kinds(quick: bool) -> None:
        for kind in config.ood.kinds:
            check_source(kind.problems, "test", ood.seed, quick)

    def pool(key: str, problems: str, count: int, longer: float) -> Artifact:
        return ablation(
            profile,
            key,
            make_pool,
            PoolConfig(
                problems=count,
                samples=config.samples,
                prompt=judge.prompt.scaled(longer),
                temperature=judge.temperature,
            ),
            # One pool for all verifiers: they are compared on the same solutions.
            {"generator": "generator/model", "problems": problems},
            f"{config.samples} solutions of GPT* for each of {count} problems of {problems}: what every "
            "experiment with verifiers judges.",
            estimate=estimate_ood_pool if problems == OOD else estimate_pool,
        )

    return [
        replace(ood, preflight=check_kinds),
        pool(TEST_POOL, "problems/test", config.problems, 1.0),
        pool(OOD_POOL, OOD, config.ood_problems, config.longer),
    ]


# Tokens of a solution out of distribution, against others (the corpus' teacher on nano's three kinds).
LONGER = 1.4


def estimate_ood(context: EstimateContext, config: OodConfig) -> Estimate:
    longer = config.longer if context.artifact.inputs else 0
    return problem_table(longer + sum(kind.problems.test for kind in config.kinds), context)


def estimate_pool(context: EstimateContext, config: PoolConfig, longer: float = 1.0) -> Estimate:
    """Sampled, and what is distinct read once by the generator."""
    problems = min(config.problems, context["problems"].problems)
    samples = problems * config.samples
    solution = min(context.assumptions.solution_tokens * longer, config.prompt.max_tokens)
    cost = context.generate("generator", samples * solution)
    tokens = problems * distinct_tokens(context, config.prompt, config.samples, rl_rounds=0)
    cost += context.score("generator", longer * tokens)
    stored = context.solutions_bytes(problems, config.samples, rl_rounds=0) + samples * ROW
    return Estimate(problems, samples, cost=cost, stored=stored)


def estimate_ood_pool(context: EstimateContext, config: PoolConfig) -> Estimate:
    return estimate_pool(context, config, LONGER)
