"""ablations/verifiers: reward models trained in different ways, and how well each chooses among GPT*'s solutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.experiments.experiment import ablation, estimate_tables
from o1_assets.experiments.pools.assets import OOD_POOL, TEST_POOL
from o1_assets.experiments.verifiers import config as arms
from o1_assets.experiments.verifiers.config import ScoresConfig, TrainingConfig, VerifiersResultConfig
from o1_assets.experiments.verifiers.measure import make_labelled, score_pools, train_verifier
from o1_assets.experiments.verifiers.result import make_result
from o1_assets.reward.config import PRMConfig
from o1_assets.reward.estimate import distinct_tokens, read
from o1_assets.rounds.estimate import estimate_selection

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


GROUP = "ablations/verifiers"
LABELLED = f"{GROUP}/labels"


def artifacts(profile: Profile) -> list[Artifact]:
    """Every training, the scores of each training seed's models, and the result."""
    config, seeds = profile.ablations.verifiers, profile.ablations.seeds
    trainings = arms.trainings(config, profile.first_prm, profile.first_orm)
    pools = {"test": TEST_POOL, "ood": OOD_POOL}
    declared = [
        ablation(
            profile,
            LABELLED,
            make_labelled,
            profile.first_selection.model_copy(update={"strategy": "uniform", "solutions": config.sizes[-1]}),
            {"solutions": "r00/solutions", "policy": "generator/model", "train": "problems/train"},
            "GPT*'s solutions drawn uniformly at random, all completions rated by the exact checker.",
            estimate=estimate_selection,
        )
    ]
    for seed in range(seeds):
        for arm, training in trainings.items():
            by_large = training.supervision in ("large_steps", "large_outcome")
            large = {"large": f"r{profile.rounds:02d}/prm"} if by_large else {}
            declared.append(
                ablation(
                    profile,
                    f"{GROUP}/{arm}_{seed}",
                    train_verifier,
                    training,
                    {
                        "generator": "generator/model",
                        "train": "problems/train",
                        "solutions": "r00/solutions",
                        "labelled": LABELLED,
                        **large,
                    },
                    f"{_description(arm, training)}, training {seed + 1} of {seeds}.",
                    # Equal for all arms: they draw the same solutions.
                    seed_of=f"{GROUP}/{seed}",
                    trains=True,
                    estimate=estimate_training,
                )
            )
        declared.append(
            ablation(
                profile,
                f"{GROUP}/scores_{seed}",
                score_pools,
                ScoresConfig(
                    arms=tuple(trainings),
                    main=(arms.prm(config.sizes[-1]), arms.EVERY),
                    problems=config.problems,
                    samples=config.n,
                    prompt=profile.prompt,
                ),
                {
                    "generator": "generator/model",
                    **pools,
                    **{arm: f"{GROUP}/{arm}_{seed}" for arm in trainings},
                },
                f"What the models of training {seed + 1} think of GPT*'s solutions of held-out problems.",
                estimate=estimate_scores,
            )
        )
    result = ablation(
        profile,
        f"{GROUP}/result",
        make_result,
        VerifiersResultConfig(
            sizes=config.sizes,
            compared=config.compared,
            seeds=seeds,
            n=config.n,
            problems=config.problems,
            subsets=config.subsets,
            resamples=profile.ablations.judge.resamples,
        ),
        {**pools, **{f"scores_{seed}": f"{GROUP}/scores_{seed}" for seed in range(seeds)}},
        "PRM, ORM and majority, in and out of distribution; process against outcome supervision.",
        opens_models=False,
        estimate=estimate_tables,
    )
    return [*declared, result]


def _description(arm: str, training: TrainingConfig) -> str:
    supervision = {
        "labels": "their ratings",
        "answer": "whether the final answer is right",
        "large_steps": "the large PRM's judgement of each step",
        "large_outcome": "whether the large PRM calls all steps right",
    }[training.supervision]
    model = "ORM" if arm.startswith("orm") else "PRM"
    without = " without the probability feature" if "bare" in arm else ""
    count = "all sampled" if training.solutions is None else str(training.solutions)
    return f"{'An' if model == 'ORM' else 'A'} {model}{without} on {count} solutions, told {supervision}"


def estimate_training(context: EstimateContext, config: TrainingConfig) -> Estimate:
    """A PRM reads a solution up to its first wrong step, and the alternatives if they were rated; an ORM all of it."""
    assumed, training = context.assumptions, config.training
    labelled = context["labelled"]
    available = context["solutions"].samples if config.solutions is None else labelled.samples
    examples = min(config.solutions or available, available)
    prompt = context.prompt_tokens(training.prompt)
    whole = row = prompt + assumed.solution_tokens
    is_prm = isinstance(training, PRMConfig)
    if is_prm:
        alternatives = labelled.rated_alternatives if config.supervision == "labels" else 0.0
        row = prompt + (labelled.rated_steps + alternatives) * assumed.step_tokens
    cost = context.train("generator", training.updates * training.batch_size * row, training)
    if training.probability_feature:
        cost += context.score("generator", examples * row)
    if "large" in context.artifact.inputs:  # the large PRM, as the teacher, reads every example once
        cost += read(context, examples * whole, "large")
    heads = 3 if is_prm else 2
    model = context.model("generator", heads=heads, reads_generator=training.probability_feature)
    return Estimate(examples=examples, cost=cost, stored=model.stored, model=model)


def estimate_scores(context: EstimateContext, config: ScoresConfig) -> Estimate:
    """The main models read both pools whole, the others a part of each; the generator reads what they read, once."""
    others = [arm for arm in config.arms if arm not in config.main]
    cost, scored, rows = Cost(), 0.0, 0.0
    for name in ("test", "ood"):
        pool, limits = context[name], context.config(name)
        whole = pool.problems * distinct_tokens(context, limits.prompt, pool.samples_each, rl_rounds=0)
        problems, samples = min(config.problems, pool.problems), min(config.samples, pool.samples_each)
        part = problems * distinct_tokens(context, limits.prompt, samples, rl_rounds=0)
        cost += read(context, whole, *config.main) + read(context, part, *others)
        rows += pool.samples + problems * samples
        scored += pool.samples * len(config.main) + problems * samples * len(others)
    return Estimate(samples=rows, cost=cost, stored=4 * TABLES + ROW * scored)
