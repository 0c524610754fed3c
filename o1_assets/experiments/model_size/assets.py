"""ablations/scale: for each shape and seed a base, its GPT*, its reward models and their judgement; then the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import Artifact
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.experiments.experiment import ablation, base_of
from o1_assets.experiments.model_size.config import Shape
from o1_assets.experiments.model_size.measure import JudgedConfig, judge_model
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
        return ablation(profile, key[stage], compute, made, inputs, says, seed_of=own, trains=trains)

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
