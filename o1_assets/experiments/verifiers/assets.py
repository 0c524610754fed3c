"""ablations/verifiers: reward models trained in different ways, and how well each chooses among GPT*'s solutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.experiments.experiment import ablation, base_of, estimate_tables
from o1_assets.experiments.pools.assets import OOD_POOL, TEST_POOL
from o1_assets.experiments.verifiers import config as arms
from o1_assets.experiments.verifiers.compared import grow_base, score_compared, work_again
from o1_assets.experiments.verifiers.config import (
    WORKS_AGAIN,
    AgainConfig,
    ComparedConfig,
    GrowConfig,
    ScoresConfig,
    TrainingConfig,
    VerifiersResultConfig,
)
from o1_assets.experiments.verifiers.measure import make_labelled, score_pools, train_verifier
from o1_assets.experiments.verifiers.result import make_result
from o1_assets.reward.config import PRMConfig, VerifierConfig, VerifierTask
from o1_assets.reward.estimate import distinct_tokens, estimate_verifier
from o1_assets.reward.verifier import make_verifier
from o1_assets.rounds.estimate import estimate_selection

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


GROUP = "ablations/verifiers"
LABELLED = f"{GROUP}/labels"


def artifacts(profile: Profile) -> list[Artifact]:
    """Every start and training, the scores of each training seed's models, and the result."""
    config, seeds = profile.ablations.verifiers, profile.ablations.seeds
    trainings = arms.trainings(config, profile.first_prm, profile.first_orm)
    pools = {"test": TEST_POOL, "ood": OOD_POOL}
    made, start_of = _starts(profile)
    compared = arms.compared_arms(config)
    judged = [arm for arm in trainings if arm not in start_of or arm in arms_of_generator(config.sizes[-1])]
    declared = [
        *made,
        ablation(
            profile,
            LABELLED,
            make_labelled,
            profile.first_selection.model_copy(update={"strategy": "uniform", "solutions": config.sizes[-1]}),
            {"solutions": "r00/solutions", "policy": "generator/model", "train": "problems/train"},
            "GPT*'s solutions drawn uniformly at random, all completions rated by the exact checker.",
            estimate=estimate_selection,
        ),
        ablation(
            profile,
            f"{GROUP}/{WORKS_AGAIN}",
            work_again,
            AgainConfig(
                samples=config.again_samples,
                max_step_tokens=profile.first_selection.max_step_tokens,
                temperature=profile.first_selection.temperature,
                problems=config.problems,
                step_samples=config.step_samples,
                prompt=profile.prompt,
            ),
            {"generator": "generator/model", "test": TEST_POOL},
            "A verifier without a training: GPT* samples each step again, and a step is as right as it is frequent.",
            estimate=estimate_again,
        ),
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
                        "init": start_of.get(arm, profile.reward_start),
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
                    arms=tuple(judged),
                    main=(arms.prm(config.sizes[-1]), arms.EVERY),
                    problems=config.problems,
                    samples=config.n,
                    prompt=profile.prompt,
                ),
                {
                    "generator": "generator/model",
                    **pools,
                    **{arm: f"{GROUP}/{arm}_{seed}" for arm in judged},
                },
                f"What the models of training {seed + 1} think of GPT*'s solutions of held-out problems.",
                estimate=estimate_scores,
            )
        )
        declared.append(
            ablation(
                profile,
                f"{GROUP}/compared_{seed}",
                score_compared,
                ComparedConfig(
                    arms=tuple(compared),
                    problems=config.problems,
                    step_samples=config.step_samples,
                    prompt=profile.prompt,
                ),
                {
                    "generator": "generator/model",
                    "test": TEST_POOL,
                    **{arm: f"{GROUP}/{arm}_{seed}" for arm in compared},
                },
                f"What the PRMs of training {seed + 1} that differ in their start think of all samples, and of steps.",
                estimate=estimate_compared,
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
            compared_arms=compared,
        ),
        {
            **pools,
            **{
                f"{name}_{seed}": f"{GROUP}/{name}_{seed}"
                for name in ("scores", "compared")
                for seed in range(seeds)
            },
            WORKS_AGAIN: f"{GROUP}/{WORKS_AGAIN}",
        },
        "PRM, ORM and majority, in and out of distribution; process against outcome supervision.",
        opens_models=False,
        estimate=estimate_tables,
    )
    return [*declared, result]


def arms_of_generator(size: int) -> tuple[str, str]:
    """The compared PRMs that start from GPT*; the other experiments' claims read them too."""
    return arms.FROM_GENERATOR, arms.bare(size)


def _starts(profile: Profile) -> tuple[list[Artifact], dict[str, str]]:
    """The starts, made once for all seeds, and for each compared arm the key of what it starts from."""
    config, corpus = profile.ablations.verifiers, base_of(profile).corpus
    size, declared, keys = config.sizes[-1], list[Artifact](), dict[str, str]()
    for name, training in arms.start_configs(config, profile.verifier).items():
        if training == profile.verifier:
            keys[name] = "base/verifier"
            continue
        keys[name] = f"{GROUP}/start_{name}"
        declared.append(
            ablation(
                profile,
                keys[name],
                make_verifier,
                VerifierTask(corpus=corpus, verifier=training),
                {"base": "base/model", **profile.kept_out},
                f"The base with {training.new_layers} new layers, after {training.homework.pages} pages of homework.",
                # Equal for all: those that differ in their teachers or size draw equal pages.
                seed_of="base/verifier",
                trains=True,
                estimate=estimate_verifier,
            )
        )
    if "large_without_homework" in config.starts:
        keys["large_without_homework"] = f"{GROUP}/start_large_without_homework"
        declared.append(
            ablation(
                profile,
                keys["large_without_homework"],
                grow_base,
                GrowConfig(new_layers=(profile.verifier or VerifierConfig()).new_layers),
                {"base": "base/model"},
                "The base with new layers that change nothing yet; it has read no homework.",
                seed_of="base/verifier",
                trains=True,
                estimate=estimate_grown,
            )
        )
    start_of = {arms.started(name): keys[name] for name in config.starts}
    return declared, {**dict.fromkeys(arms_of_generator(size), "generator/model"), **start_of}


def _description(arm: str, training: TrainingConfig) -> str:
    supervision = {
        "labels": "their ratings",
        "answer": "whether the final answer is right",
        "large_steps": "the large PRM's judgement of each step",
        "large_outcome": "whether the large PRM calls all steps right",
    }[training.supervision]
    model = "ORM" if arm.startswith("orm") else "PRM"
    is_bare = model == "PRM" and not training.training.probability_feature
    without = " without the probability feature" if is_bare else ""
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
    cost = context.train("init", training.updates * training.batch_size * row, training)
    if training.probability_feature:
        cost += context.score("generator", examples * row)
    if "large" in context.artifact.inputs:  # the large PRM, as the teacher, reads every example once
        cost += read(context, examples * whole, ["large"])
    heads = 3 if is_prm else 2
    model = context.model("init", heads=heads, reads_generator=training.probability_feature)
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
        cost += read(context, whole, config.main) + read(context, part, others)
        rows += pool.samples + problems * samples
        scored += pool.samples * len(config.main) + problems * samples * len(others)
    return Estimate(samples=rows, cost=cost, stored=4 * TABLES + ROW * scored)


def read(context: EstimateContext, tokens: float, models: Sequence[str]) -> Cost:
    """A pass of each of these models, which differ in size, and one of the generator if any reads its probabilities."""
    cost = sum((context.score(name, tokens) for name in models), Cost())
    reads_generator = any(context.model(name).reads_generator for name in models)
    return cost + context.score("generator", tokens) if reads_generator else cost


def estimate_grown(context: EstimateContext, config: GrowConfig) -> Estimate:
    """Nothing is trained."""
    base = context.model("base", heads=3)
    model = replace(base, shape=replace(base.shape, layers=base.shape.layers + config.new_layers))
    return Estimate(stored=model.stored, model=model)


def _first_problems(
    context: EstimateContext, config: ComparedConfig | AgainConfig
) -> tuple[float, float, float]:
    """Problems, samples of each, and tokens that are left of all where shared prefixes stand once."""
    pool = context["test"]
    problems = min(config.problems, pool.problems)
    tokens = problems * distinct_tokens(context, config.prompt, pool.samples_each, rl_rounds=0)
    return problems, pool.samples_each, tokens


def estimate_compared(context: EstimateContext, config: ComparedConfig) -> Estimate:
    """Every sample of the first problems by every PRM, and by the generator that of the steps which are judged."""
    problems, samples, tokens = _first_problems(context, config)
    few = problems * distinct_tokens(context, config.prompt, min(config.step_samples, samples), rl_rounds=0)
    cost = read(context, tokens, config.arms) + context.score("generator", few)
    rows = problems * samples
    values = len(config.arms) * (rows + problems * config.step_samples * context.assumptions.steps)
    return Estimate(samples=rows, cost=cost, stored=TABLES + ROW * (rows + values))


def estimate_again(context: EstimateContext, config: AgainConfig) -> Estimate:
    """Every step after a prefix of its own is written anew, by each of the samples."""
    problems, samples, tokens = _first_problems(context, config)
    written = tokens - problems * context.prompt_tokens(config.prompt)
    rows = problems * samples
    return Estimate(
        samples=rows,
        cost=context.generate("generator", config.samples * written),
        stored=TABLES + ROW * 2 * rows,
    )
