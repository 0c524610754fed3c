"""ablations/scale: for each shape and seed a base, its GPT*, its reward models and their judgement; then the result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from o1_assets.base.assets import estimate_base
from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import Artifact, Estimator
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.experiments.estimate import estimate_tables
from o1_assets.experiments.experiment import ablation, base_of
from o1_assets.experiments.model_size.config import Shape
from o1_assets.experiments.model_size.measure import SELECTORS, JudgedConfig, judge_model
from o1_assets.experiments.model_size.result import ScaleResultConfig, make_scale_result
from o1_assets.experiments.variants import (
    SizedBaseConfig,
    SizedGeneratorConfig,
    SizedORMConfig,
    SizedPRMConfig,
    sized_base,
    sized_generator,
    sized_orm,
    sized_prm,
)
from o1_assets.generator.assets import estimate_generator, estimate_samples, estimate_sft_set
from o1_assets.reward.estimate import distinct_tokens, estimate_orm, estimate_prm, read

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


GROUP = "ablations/scale"


def artifacts(profile: Profile) -> list[Artifact]:
    shapes = [
        shape.model_copy(update={"seeds": shape.seeds or profile.ablations.seeds})
        for shape in profile.ablations.scale.shapes
    ]
    runs = [(shape, seed) for shape in shapes for seed in range(shape.seeds or 0)]
    trained = [a for shape, seed in runs for a in _run(profile, base_of(profile), shape, seed)]
    config = profile.ablations.scale
    result = ablation(
        profile,
        f"{GROUP}/result",
        make_scale_result,
        ScaleResultConfig(
            shapes=tuple(shapes),
            samples=config.samples,
            shared_samples=min(config.step_samples, profile.headline_eval.samples),
            corpus_solutions=config.corpus_solutions,
            resamples=profile.ablations.judge.resamples,
        ),
        {f"{shape.name}_{seed}": f"{GROUP}/{shape.name}_judged_{seed}" for shape, seed in runs},
        "Which of the method's results get stronger with the size of the model, and with its depth.",
        opens_models=False,
        estimate=estimate_tables,
    )
    return [*trained, result]


def _run(profile: Profile, base: BaseConfig, shape: Shape, seed: int) -> list[Artifact]:
    """Everything of one model. Equal seeds of all shapes read the same corpus and draw the same problems."""
    config, judge = profile.ablations.scale, profile.ablations.judge
    slower = (base.hidden_size / shape.hidden_size) ** config.adamw_width_power
    pretraining = base.model_copy(
        update={
            "corpus": base.corpus.model_copy(update={"solutions": config.corpus_solutions}),
            "hidden_size": shape.hidden_size,
            "intermediate_size": shape.intermediate_size,
            "layers": shape.layers,
            "heads": shape.heads,
            "batch_size": config.batch_size,
            "adamw_lr": base.adamw_lr * slower,
        }
    )
    sft = profile.sft.model_copy(update={"learning_rate": profile.sft.learning_rate * slower})
    key = {
        stage: f"{GROUP}/{shape.name}_{stage}_{seed}"
        for stage in ("base", "generator", "prm", "prm_plain", "orm", "judged")
    }

    prm, orm = (
        {"updates": config.reward_updates, "adamw_lr": model.adamw_lr * slower}
        for model in (profile.first_prm, profile.first_orm)
    )

    def one(stage: str, says: str, compute: Any, made: Any, inputs: dict[str, str]) -> Artifact:
        own = f"{GROUP}/{'prm' if stage == 'prm_plain' else stage}/{seed}"
        says = f"{shape.parameters / 1e6:.2g}M parameters in {shape.layers} layers: {says}."
        trains = stage != "judged"
        return ablation(
            profile,
            key[stage],
            compute,
            made,
            inputs,
            says,
            seed_of=own,
            trains=trains,
            estimate=ESTIMATES[stage],
        )

    samples = profile.samples.model_copy(
        update={"problems": config.train_problems, "per_problem": config.per_problem}
    )
    on_labels = {"generator": key["generator"], "init": key["generator"], "labels_00": "r00/labels"}
    on_outcomes = {"generator": key["generator"], "init": key["generator"], "train": "problems/train"}
    feature, plain = (
        SizedPRMConfig(
            shape=shape, prm=profile.first_prm.model_copy(update={**prm, "probability_feature": on})
        )
        for on in (True, False)
    )
    outcome = SizedORMConfig(shape=shape, orm=profile.first_orm.model_copy(update=orm))
    judged = JudgedConfig(
        shape=shape,
        base_samples=config.base_samples,
        sampling=RoundEvalConfig(
            problems=config.problems,
            samples=config.samples,
            subsets=config.subsets,
            step_samples=config.step_samples,
            prompt=judge.prompt,
            temperature=judge.temperature,
        ),
    )
    models = {stage: key[stage] for stage in ("base", "generator", "prm", "prm_plain", "orm")}
    return [
        one("base", "pre-trained on the corpus that all sizes read", sized_base,
            SizedBaseConfig(shape=shape, base=pretraining), {"test": "problems/test"}),
        one("generator", "its GPT*", sized_generator,
            SizedGeneratorConfig(shape=shape, samples=samples, sft_set=profile.sft_set, sft=sft),
            {"base": key["base"], "train": "problems/train"}),
        one("prm", "its PRM on round 0's labels", sized_prm, feature, on_labels),
        one("prm_plain", "its PRM without the probability feature", sized_prm, plain, on_labels),
        one("orm", "its ORM on round 0's outcomes", sized_orm, outcome,
            {**on_outcomes, "solutions_00": "r00/solutions"}),
        one("judged", "what it and its reward models reach on held-out problems", judge_model, judged,
            {**models, "test": "problems/test", "shared": "eval/generator"}),
    ]  # fmt: skip


def estimate_sized_base(context: EstimateContext, config: SizedBaseConfig) -> Estimate:
    return estimate_base(context, config.base)


def estimate_sized_generator(context: EstimateContext, config: SizedGeneratorConfig) -> Estimate:
    """Samples, the SFT set and the training, in one artifact."""
    samples = estimate_samples(context, config.samples)
    context = context.given("samples", config.samples, samples)
    sft_set = estimate_sft_set(context, config.sft_set)
    generator = estimate_generator(context.given("sft_set", config.sft_set, sft_set), config.sft)
    return replace(samples + sft_set + generator, examples=generator.examples, model=generator.model)


def estimate_sized_prm(context: EstimateContext, config: SizedPRMConfig) -> Estimate:
    return estimate_prm(context, config.prm)


def estimate_sized_orm(context: EstimateContext, config: SizedORMConfig) -> Estimate:
    return estimate_orm(context, config.orm)


def estimate_measures(context: EstimateContext, config: JudgedConfig) -> Estimate:
    """Samples of the base and of GPT*; three reward models and the generator alone read those and the shared ones."""
    judge, shared = config.sampling, context["shared"].samples_each
    problems = min(judge.problems, context["test"].problems)
    solution = context.solution_tokens(judge.prompt)
    cost = context.generate("generator", problems * (config.base_samples + judge.samples + 1) * solution)
    samples = (judge.samples, min(judge.step_samples, shared))
    tokens = problems * sum(distinct_tokens(context, judge.prompt, n, rl_rounds=0) for n in samples)
    cost += read(context, tokens, "prm", "prm_plain", "orm") + context.score("generator", tokens)
    stored = TABLES + (2 * len(SELECTORS) + 3) * problems * 2
    return Estimate(problems, problems * judge.samples, cost=cost, stored=stored)


ESTIMATES: dict[str, Estimator] = {
    "base": estimate_sized_base,
    "generator": estimate_sized_generator,
    "prm": estimate_sized_prm,
    "prm_plain": estimate_sized_prm,
    "orm": estimate_sized_orm,
    "judged": estimate_measures,
}
