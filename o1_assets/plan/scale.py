"""ablations/scale: as the stages of the graph, each at its own model's shape."""

from __future__ import annotations

from dataclasses import replace

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.model_size.config import Shape as Sized
from o1_assets.experiments.model_size.measure import SELECTORS, JudgedConfig
from o1_assets.experiments.model_size.result import ScaleResultConfig
from o1_assets.experiments.variants import (
    SizedBaseConfig,
    SizedGeneratorConfig,
    SizedORMConfig,
    SizedPRMConfig,
)
from o1_assets.plan import base, generator, reward
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known
from o1_assets.plan.shape import Shape

MEASURE_BYTES, RESULT = 2.0, 30_000.0
"""Of one problem's accuracy in a table; of the result's tables and JSON."""


def sized_base(artifact: Artifact, config: SizedBaseConfig, known: Known) -> Estimate:
    return base.pretrained_here(artifact, config.base, _at(known, config.shape))


def sized_generator(artifact: Artifact, config: SizedGeneratorConfig, known: Known) -> Estimate:
    """Samples, the SFT set and the training, in one artifact."""
    sized = _at(known, config.shape)
    sampled = generator.samples(artifact, config.samples, sized)
    sized = replace(sized, made={**known.made, "samples": sampled})
    kept = generator.sft_set(replace(artifact, inputs={"samples": "samples"}), config.sft_set, sized)
    sized = replace(sized, made={**known.made, "sft_set": kept})
    tuned = generator.generator(replace(artifact, inputs={"sft_set": "sft_set"}), config.sft, sized)
    return Estimate(
        sampled.problems, sampled.samples, tuned.examples, sampled.cost + kept.cost + tuned.cost,
        stored=sampled.stored + kept.stored + tuned.stored,
    )  # fmt: skip


def sized_prm(artifact: Artifact, config: SizedPRMConfig, known: Known) -> Estimate:
    return reward.prm(artifact, config.prm, _at(known, config.shape))


def sized_orm(artifact: Artifact, config: SizedORMConfig, known: Known) -> Estimate:
    return reward.orm(artifact, config.orm, _at(known, config.shape))


def judged(artifact: Artifact, config: JudgedConfig, known: Known) -> Estimate:
    """Samples of the base and of GPT*; those and the shared ones are read by three reward models, by the generator for
    the feature, and by the generator alone."""
    sized, typical, judge = _at(known, config.shape), known.typical, config.sampling
    problems = min(judge.problems, known.of(artifact, "test").problems)
    each = min(typical.solution_tokens, judge.prompt.max_tokens)
    cost = sized.generate(problems * (config.base_samples + judge.samples + 1) * each)
    prompt = typical.prompt_tokens(judge.prompt)
    shared = min(judge.step_samples, known.profile.headline_eval.samples)
    read = sum(sized.distinct(prompt, n, 0, judge.prompt.max_tokens) for n in (judge.samples, shared))
    cost += sized.score(problems * read * 5)
    measures = 2 * len(SELECTORS) + 3
    return Estimate(
        problems, problems * judge.samples, cost=cost, stored=4_000 + measures * problems * MEASURE_BYTES
    )


def result(artifact: Artifact, config: ScaleResultConfig, known: Known) -> Estimate:
    """Arithmetic on the judgements."""
    return Estimate(stored=RESULT + 4 * PLOT)


def _at(known: Known, shape: Sized) -> Known:
    """Every model of this artifact has that shape."""
    own: Shape = replace(
        known.shape,
        width=shape.hidden_size,
        inner=shape.intermediate_size,
        layers=shape.layers,
        heads=shape.heads,
        kv_heads=shape.heads,
    )
    return replace(known, shape=own)
