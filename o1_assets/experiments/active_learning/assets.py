"""The artifacts of the experiment: a pool, held-out solutions, the selectors' scores, an arm a setting, strategy and
seed, and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact, Compute, Cost, Estimator, StageConfig
from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.experiments.active_learning.config import (
    SAYS,
    STRATEGIES,
    ActiveArmConfig,
    ActiveResultConfig,
    ActiveSelectorConfig,
    Setting,
)
from o1_assets.experiments.active_learning.measure import make_arm, make_scores
from o1_assets.experiments.active_learning.result import make_result
from o1_assets.experiments.experiment import ablation, estimate_tables
from o1_assets.reward.config import PRMConfig
from o1_assets.reward.estimate import distinct_tokens
from o1_assets.rounds.estimate import estimate_solutions
from o1_assets.rounds.solutions import make_solutions

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


GROUP = "ablations/active"


def artifacts(profile: Profile) -> list[Artifact]:
    """All of them, in the order of the data."""
    settings, seeds = profile.ablations.active, profile.ablations.seeds
    policy = policy_key(profile)

    def artifact(
        name: str,
        compute: Compute,
        config: StageConfig,
        inputs: dict[str, str],
        description: str,
        seed: str = "",
        estimate: Estimator = estimate_solutions,
    ) -> Artifact:
        # Arms of equal seeds share theirs, so that they differ in their labels alone.
        seed_of = f"{GROUP}/{seed or name}"
        key = f"{GROUP}/{name}"
        return ablation(
            profile, key, compute, config, inputs, description, seed_of=seed_of, estimate=estimate
        )

    def solutions(name: str, problems: str, count: int, samples: int) -> Artifact:
        # Sampled as in a later round, only more: what differs from the loop is the choice.
        # Sampled alone: what a search finds depends on a PRM, and here PRMs are compared.
        sampled = profile.later_solutions.model_copy(
            update={"problems": count, "samples": samples, "searches": ()}
        )
        what = "are chosen from" if name == "pool" else "judge"
        inputs = {"policy": policy, "train": f"problems/{problems}"}
        return artifact(name, make_solutions, sampled, inputs, f"Solutions of {policy} that {what}.")

    artifacts = [
        # Solutions of a policy that already trained: what it still gets wrong is rarer and more convincing.
        solutions("pool", "train", settings.pool_problems, settings.pool_samples),
        solutions("held_out", "test", settings.held_out_problems, settings.held_out_samples),
    ]
    base = {"generator": "generator/model", "pool": f"{GROUP}/pool", "train": "problems/train"}
    for seed in range(seeds):
        artifacts.append(
            artifact(
                f"scores_{seed}",
                make_scores,
                ActiveSelectorConfig(
                    solutions=settings.selector_solutions, prm=prm_config(profile, "scratch")
                ),
                {**base, "init": profile.reward_start, "prm": "r00/prm"},
                f"What the selectors think of the pool, training {seed + 1} of {seeds}.",
                estimate=estimate_scores,
            )
        )
    arms = {}
    evaluated_on = {"held_out": f"{GROUP}/held_out", "test": "problems/test"}
    for setting in settings.settings:
        # From scratch a PRM starts as phase 1's did: from the verifier or the generator.
        of_setting = {"init": profile.reward_start if setting == "scratch" else "r00/prm"}
        # Phase 1's labels are replayed, so that the chosen ones are added and do not replace them.
        if setting == "added":
            of_setting["labels"] = "r00/labels"
        for strategy in STRATEGIES:
            for seed in range(seeds):
                # Uniform choice looks at no score, and so must not depend on the selector.
                scores = {} if strategy == "uniform" else {"scores": f"{GROUP}/scores_{seed}"}
                name = f"{setting}_{strategy}_{seed}"
                artifacts.append(
                    artifact(
                        name,
                        make_arm,
                        ActiveArmConfig(
                            setting=setting,
                            strategy=strategy,
                            sizes=settings.sizes,
                            per_problem=settings.per_problem,
                            wrong_share=settings.wrong_share,
                            step_samples=settings.step_samples,
                            choice_seed=profile.seed_of(f"{GROUP}/choice_{seed}"),
                            prm=prm_config(profile, setting),
                        ),
                        {**base, **evaluated_on, **of_setting, **scores},
                        f"Active learning: PRMs {SAYS[setting]}, {SAYS[strategy]}, "
                        f"training {seed + 1} of {seeds}.",
                        # Equal seeds start alike, whatever they are trained on.
                        seed=f"training_{seed}",
                        estimate=estimate_arm,
                    )
                )
                arms[name] = artifacts[-1].key
    compared = ActiveResultConfig(
        seeds=seeds,
        settings=settings.settings,
        sizes=settings.sizes,
        samples=settings.held_out_samples,
        selector_solutions=settings.selector_solutions,
        policy=policy,
        resamples=settings.resamples,
    )
    question = "How many labels does it save to choose which solutions are labelled?"
    artifacts.append(artifact("result", make_result, compared, arms, question, estimate=estimate_tables))
    return artifacts


def policy_key(profile: Profile) -> str:
    """Whose solutions are chosen from."""
    settings = profile.ablations.active
    return "generator/model" if settings.round < 0 else f"r{min(settings.round, profile.rounds):02d}/policy"


def prm_config(profile: Profile, setting: Setting) -> PRMConfig:
    """As the profile trains round 0's, or a later round's, with as many updates in both settings.

    As many at every size too, so that more labels do not also mean a longer training.
    """
    settings = profile.ablations.active
    base = profile.first_prm if setting == "scratch" else profile.later_prm
    return base.model_copy(
        update={
            "updates": settings.updates,
            "class_balance": settings.class_balance,
            "newest_share": settings.newest_share,
        }
    )


def estimate_scores(context: EstimateContext, config: ActiveSelectorConfig) -> Estimate:
    """One training; the different solutions of the pool are read by two PRMs, and by the generator."""
    cost = _training_cost(context, config.prm, replayed=0.0)
    passes = 2 + config.prm.probability_feature
    cost += context.score("generator", passes * _pool_tokens(context, "pool", config.prm))
    return Estimate(
        examples=config.solutions, cost=cost, stored=TABLES + 3 * ROW * context["pool"].samples / 2
    )


def estimate_arm(context: EstimateContext, config: ActiveArmConfig) -> Estimate:
    """A training and a reading of the held-out solutions at each size."""
    replayed = 1 - config.prm.newest_share if "labels" in context.artifact.inputs else 0.0
    held_out, sizes = context["held_out"], len(config.sizes)
    cost = _training_cost(context, config.prm, replayed)
    cost += context.score("generator", _pool_tokens(context, "held_out", config.prm))
    stored = 3 * TABLES + sizes * held_out.problems * ROW
    return Estimate(
        held_out.problems, examples=max(config.sizes), cost=sum([cost] * sizes, Cost()), stored=stored
    )


def _training_cost(context: EstimateContext, config: PRMConfig, replayed: float) -> Cost:
    """Chosen solutions are read to their first wrong step; phase 1's, replayed, with their alternatives."""
    assumed = context.assumptions
    tokens = (1 - replayed) * assumed.steps * assumed.rated_later * assumed.step_tokens
    if replayed:
        tokens += replayed * context["labels"].example_tokens
    row = context.prompt_tokens(config.prompt) + tokens
    return context.train("generator", config.updates * config.batch_size * row, config)


def _pool_tokens(context: EstimateContext, name: str, config: PRMConfig) -> float:
    """Tokens of the different solutions of an input, each problem's shared prefixes once."""
    pool, made = context[name], context.graph[context.artifact.inputs[name]]
    writer = context.estimates[made.inputs["policy"]].model
    rl_rounds = writer.rl_rounds if writer else 0
    return pool.problems * distinct_tokens(context, config.prompt, pool.samples_each, rl_rounds)
