"""generator/samples, generator/sft_set and generator/model (GPT*); how hard the train problems are for the base."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.engine.training.lengths import LENGTH_CHECK
from o1_assets.generator.config import Band, SamplesConfig, SftConfig, SftSetConfig
from o1_assets.generator.difficulty import make_banded, make_difficulty
from o1_assets.generator.samples import make_samples, make_sft_set
from o1_assets.generator.sft import make_generator

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def generator_artifacts(profile: Profile) -> list[Artifact]:
    return [
        Artifact(
            key="generator/samples",
            compute=make_samples,
            config=profile.samples,
            inputs={"base": profile.generator_start, "train": "problems/train"},
            seed=profile.seed_of("generator/samples"),
            group="generator",
            description="Step-by-step solutions by the prompted base model, several a problem.",
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
            estimate=estimate_samples,
        ),
        Artifact(
            key="generator/sft_set",
            compute=make_sft_set,
            config=profile.sft_set,
            inputs={"samples": "generator/samples", "train": "problems/train"},
            seed=profile.seed_of("generator/sft_set"),
            group="generator",
            description="The samples whose final answer is correct (Lightman et al. 2023, section 2.4).",
            kinds=("parquet", "polars"),
            estimate=estimate_sft_set,
        ),
        Artifact(
            key="generator/model",
            compute=make_generator,
            config=profile.sft,
            inputs={"base": profile.generator_start, "sft_set": "generator/sft_set"},
            seed=profile.seed_of("generator/model"),
            group="generator",
            description="GPT*: the base after one epoch on its own correct solutions. It teaches the format.",
            kinds=("pytorch", "huggingface"),
            resource_class=profile.class_of_training,
            launches=True,
            checks=(LENGTH_CHECK,),
            estimate=estimate_generator,
        ),
    ]


DIFFICULTY = "difficulty/train"
# Share of the problems that a band is assumed to keep. What it is, the difficulty says, once it is measured.
IN_BAND = 0.5


def difficulty_artifacts(profile: Profile) -> list[Artifact]:
    """The difficulty of the train problems, an optional part; with a band it comes first, and chooses them."""
    band = profile.difficulty.band
    measured = difficulty_artifact(profile, "base/model", "problems/train" if band is None else "pool/train")
    if band is None:
        return [replace(measured, part="difficulty")]
    return [
        measured,
        Artifact(
            key="problems/train",
            compute=make_banded,
            config=band,
            inputs={"pool": "pool/train", "difficulty": DIFFICULTY},
            group="problems",
            description="The problems of the pool of which the base solves neither too few samples nor too many.",
            kinds=("parquet", "polars"),
            estimate=estimate_banded,
        ),
    ]


def difficulty_artifact(profile: Profile, model: str, problems: str = "problems/train") -> Artifact:
    """How much of the problems the model solves. model, problems: keys. Only that of the base is in the graph."""
    base = model == "base/model"
    return Artifact(
        key=DIFFICULTY if base else f"{DIFFICULTY}_of/{model}",
        compute=make_difficulty,
        config=profile.samples.model_copy(
            update={
                "problems": profile.problems.train,
                "per_problem": profile.difficulty.samples,
                # Worked examples are for a base that does not know the format.
                **({} if base else {"template": None}),
            }
        ),
        inputs={"model": model, "problems": problems},
        seed=profile.seed_of(DIFFICULTY),
        group="problems",
        description=f"How many samples of {model} solve each train problem.",
        kinds=("parquet", "polars"),
        resource_class=profile.model_class,
        estimate=estimate_difficulty,
    )


def estimate_difficulty(context: EstimateContext, config: SamplesConfig) -> Estimate:
    """Several solutions of the base a problem, of which the number of right ones alone is kept."""
    problems = min(config.problems, context["problems"].problems)
    samples = problems * config.per_problem
    cost = context.generate("model", samples * context.solution_tokens(config.prompt))
    return Estimate(problems, samples, cost=cost, stored=TABLES + problems * ROW)


def estimate_banded(context: EstimateContext, config: Band) -> Estimate:
    share = IN_BAND if config.lowest > 0 or config.highest < 1 else 1.0
    pool = context["pool"]
    return Estimate(problems=pool.problems * share, stored=pool.stored * share)


def estimate_samples(context: EstimateContext, config: SamplesConfig) -> Estimate:
    """Several solutions of the base a problem."""
    problems = min(config.problems, context["train"].problems)
    samples = problems * config.per_problem
    return Estimate(
        problems,
        samples,
        cost=context.generate("base", samples * context.solution_tokens(config.prompt)),
        stored=context.solutions_bytes(problems, config.per_problem, rl_rounds=0),
    )


def estimate_sft_set(context: EstimateContext, config: SftSetConfig) -> Estimate:
    """The right samples, at most so many a problem, and the publishers' own solutions where none is right."""
    sampled, assumed = context["samples"], context.assumptions
    examples = min(sampled.samples * assumed.kept_share, sampled.problems * config.per_problem)
    if config.references is not None:
        # The chance that all samples of a problem are wrong, if each is right independently of the others.
        examples += sampled.problems * (1 - assumed.kept_share) ** sampled.samples_each
    text = (assumed.question_tokens + assumed.solution_tokens) * assumed.bytes_a_token / 2
    return Estimate(examples=examples, stored=TABLES / 2 + examples * text)


def estimate_generator(context: EstimateContext, config: SftConfig) -> Estimate:
    """One epoch on the prompt and the solution."""
    examples, model = context["sft_set"].examples, context.model("base")
    example = context.prompt_tokens(config.prompt) + context.assumptions.solution_tokens
    cost = context.train("base", examples * min(example, config.max_length), config)
    return Estimate(examples=examples, cost=cost, stored=model.stored, model=model)
