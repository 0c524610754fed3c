"""ablations/scale: which of the method's results get stronger with the size of the model, and with its depth?

An arm is a model of another shape from nothing to its reward models: the graph's base, its GPT*, and the reward models
of round 0, on the labels and outcomes of the loop's own round 0.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from o1_assets.base.assets import base_artifacts
from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.core.seeds import derive_seed
from o1_assets.experiments.experiment import (
    Arm,
    Experiment,
    Training,
    ablation,
    base_of,
    experiment_artifacts,
)
from o1_assets.experiments.model_size.config import Shape
from o1_assets.experiments.model_size.measure import SELECTORS, ModelEvalConfig, make_model_eval
from o1_assets.experiments.model_size.result import ScaleResultConfig, make_scale_result
from o1_assets.experiments.variants import PART, variant
from o1_assets.generator.assets import generator_artifacts
from o1_assets.reward.estimate import distinct_tokens, read
from o1_assets.rounds.factory import build_round

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/scale"


def artifacts(profile: Profile) -> list[Artifact]:
    config = profile.ablations.scale
    shapes = [
        shape.model_copy(update={"seeds": shape.seeds or profile.ablations.seeds}) for shape in config.shapes
    ]
    experiment = Experiment(
        name="scale",
        question="Which of the method's results get stronger with the size of the model, and with its depth.",
        arms=[
            Arm(shape.name, _says(shape), partial(train_shape, profile, shape), shape.seeds or 0)
            for shape in shapes
        ],
        compute=make_scale_result,
        config=ScaleResultConfig(
            shapes=tuple(shapes),
            samples=config.samples,
            shared_samples=min(config.step_samples, profile.headline_eval.samples),
            corpus_solutions=config.corpus_solutions,
            resamples=profile.ablations.judge.resamples,
        ),
        inputs={},
    )
    return experiment_artifacts(experiment, profile)


def train_shape(profile: Profile, shape: Shape, seed: int) -> Training:
    """Everything of one model. Equal seeds of all shapes read the same corpus and draw the same problems."""
    prefix = f"{GROUP}/{shape.name}_{seed}"
    sized = shape_profile(profile, shape)
    # Of round 0 only the reward models: labels and outcomes are the loop's, so that all shapes learn from the same.
    prm, orm = (a for a in build_round(0, sized, settings=None) if a.key in ("r00/prm", "r00/orm"))
    without_feature = {"probability_feature": False}
    plain = replace(prm, key="r00/prm_plain", config=prm.config.model_copy(update=without_feature))
    made = variant(
        prefix,
        [*base_artifacts(sized), *generator_artifacts(sized), prm, plain, orm],
        partial(seed_of, profile, seed),
        f"{_says(shape)}.",
    )
    evaluation = ablation(
        profile,
        f"{prefix}/eval",
        make_model_eval,
        eval_config(profile),
        {
            "base": f"{prefix}/base/model",
            "generator": f"{prefix}/generator/model",
            "prm": f"{prefix}/r00/prm",
            "prm_plain": f"{prefix}/r00/prm_plain",
            "orm": f"{prefix}/r00/orm",
            "test": "problems/test",
            "shared": "eval/generator",
        },
        f"What the model and its reward models reach on held-out problems. {_says(shape)}.",
        seed_of=f"{GROUP}/judged/{seed}",
        estimate=estimate_model_eval,
    )
    return Training([*made, evaluation], {"": evaluation.key})


def shape_profile(profile: Profile, shape: Shape) -> Profile:
    """The profile with a base of that shape. AdamW's learning rates fall with the width; Muon's need not."""
    config, base = profile.ablations.scale, base_of(profile)
    slower = (base.hidden_size / shape.hidden_size) ** config.adamw_width_power
    prm, orm = (
        reward.model_copy(update={"updates": config.reward_updates, "adamw_lr": reward.adamw_lr * slower})
        for reward in (profile.first_prm, profile.first_orm)
    )
    pretraining = {
        "corpus": base.corpus.model_copy(update={"solutions": config.corpus_solutions}),
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "layers": shape.layers,
        "heads": shape.heads,
        "batch_size": config.batch_size,
        "adamw_lr": base.adamw_lr * slower,
    }
    samples = {"problems": config.train_problems, "per_problem": config.per_problem}
    return profile.model_copy(
        update={
            "base": base.model_copy(update=pretraining),
            "samples": profile.samples.model_copy(update=samples),
            "sft": profile.sft.model_copy(update={"learning_rate": profile.sft.learning_rate * slower}),
            # The loop's verifier has the size of the loop's base: a shape's reward models start from its own GPT*.
            "verifier": None,
            # Both reward models are compared with and without the feature, whatever the profile has.
            "first_prm": prm.model_copy(update={"probability_feature": True}),
            "first_orm": orm,
        }
    )


def seed_of(profile: Profile, seed: int, key: str) -> int:
    """Of an artifact of the training number `seed`. The stages of GPT* once were one computation with one seed."""
    generator = profile.seed_of(f"{GROUP}/generator/{seed}")
    match key:
        case "generator/samples":
            return derive_seed(generator, "samples")
        case "generator/sft_set":
            return generator
        case "generator/model":
            return derive_seed(generator, "sft")
        case "base/model":
            return profile.seed_of(f"{GROUP}/base/{seed}")
        case "r00/orm":
            return profile.seed_of(f"{GROUP}/orm/{seed}")
        case _:  # the PRM with and without the feature, which are compared in pairs
            return profile.seed_of(f"{GROUP}/prm/{seed}")


def eval_config(profile: Profile) -> ModelEvalConfig:
    config, judge = profile.ablations.scale, profile.ablations.judge
    return ModelEvalConfig(
        base_samples=config.base_samples,
        problems=config.problems,
        samples=config.samples,
        subsets=config.subsets,
        step_samples=config.step_samples,
        temperature=judge.temperature,
        prompt=judge.prompt,
    )


def _says(shape: Shape) -> str:
    return f"{shape.parameters / 1e6:.2g}M parameters in {shape.layers} layers"


def estimate_model_eval(context: EstimateContext, config: ModelEvalConfig) -> Estimate:
    """Samples of the base and of GPT*; three reward models and the generator alone read those and the shared ones."""
    problems = min(config.problems, context["test"].problems)
    solution = context.solution_tokens(config.prompt)
    cost = context.generate("generator", problems * (config.base_samples + config.samples + 1) * solution)
    samples = (config.samples, min(config.step_samples, context["shared"].samples_each))
    tokens = problems * sum(distinct_tokens(context, config.prompt, n, rl_rounds=0) for n in samples)
    cost += read(context, tokens, "prm", "prm_plain", "orm") + context.score("generator", tokens)
    stored = TABLES + (2 * len(SELECTORS) + 3) * problems * 2
    return Estimate(problems, problems * config.samples, cost=cost, stored=stored)
