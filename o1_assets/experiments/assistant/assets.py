"""The assistant's stages, between the base and GPT*, of profiles that have them.

    requests ── demonstrations ── sft ── answers ── comparisons ── reward ── policy ── generator/samples ...
                                                                                └── eval (and GPT*, and baby-o1)

After InstructGPT (Ouyang et al. 2022, arXiv:2203.02155). Where `starts_from` is "assistant" GPT* is made of
assistant/policy, as o1 is of an assistant; where it is "base" the stages are the optional part `assistant`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Artifact, Compute, Cost, Estimator, StageConfig
from o1_assets.core.estimate import CHART, ROW, TABLES, Estimate, EstimateContext
from o1_assets.experiments.assistant.comparisons import comparisons
from o1_assets.experiments.assistant.config import (
    AssistantConfig,
    AssistantEvalConfig,
    ComparisonsConfig,
    DemonstrationsConfig,
    PreferenceConfig,
    RequestsConfig,
)
from o1_assets.experiments.assistant.evaluate import GREEDY_TOO, MODELS, make_assistant_eval
from o1_assets.experiments.assistant.preferences import make_preference_model
from o1_assets.experiments.assistant.rankings import Rankings
from o1_assets.experiments.assistant.requests import make_demonstrations, make_requests
from o1_assets.experiments.experiment import base_of
from o1_assets.generator.assets import estimate_generator, estimate_samples
from o1_assets.generator.samples import make_samples
from o1_assets.generator.sft import make_generator
from o1_assets.policy.estimate import estimate_policy
from o1_assets.policy.train import make_policy
from o1_assets.problems.instructions import WORDS
from o1_assets.reward.estimate import distinct_tokens, estimate_reward_model

if TYPE_CHECKING:
    from o1_assets.core.settings import Settings
    from o1_assets.profiles.profile import Profile

PART = "assistant"
POLICY = f"{PART}/policy"
TABLE, MODEL = ("parquet", "polars"), ("pytorch", "huggingface")


def stages(profile: Profile, settings: Settings) -> list[Artifact]:
    """From the base to assistant/policy; none where the profile has no assistant. settings: where rankings arrive."""
    if profile.assistant is None:
        return []
    config: AssistantConfig = profile.assistant

    def artifact(
        name: str,
        compute: Compute,
        config: StageConfig,
        inputs: Mapping[str, str],
        description: str,
        kinds: tuple[str, ...],
        estimate: Estimator,
        **fields: Any,
    ) -> Artifact:
        key = f"{PART}/{name}"
        return Artifact(
            key, compute, config, {n: source if "/" in source else f"{PART}/{source}" for n, source in inputs.items()},
            description, PART, profile.seed_of(key), kinds, estimate=estimate, part=part_of(profile),
            **fields,
        )  # fmt: skip

    rankings = Rankings(settings.inbox)
    models: dict[str, Any] = {"resource_class": profile.model_class}
    demonstrations = DemonstrationsConfig(corpus=base_of(profile).corpus)
    return [
        artifact(
            "requests", make_requests, config.requests, {"train": "problems/train"},
            "What the assistant is asked: train problems with an instruction or none, some of them with secrets.",
            TABLE, estimate_requests,
        ),
        artifact(
            "demonstrations", make_demonstrations, demonstrations, {"requests": "requests"},
            "The desired answer to each request, written by people who err as those of the corpus do.",
            TABLE, estimate_demonstrations,
        ),
        artifact(
            "sft", make_generator, config.sft, {"base": "base/model", "sft_set": "demonstrations"},
            "Instruction tuning: the base after one epoch on the demonstrations.",
            MODEL, estimate_generator, resource_class=profile.class_of_training, launches=True,
        ),
        artifact(
            "answers", make_samples, config.answers, {"base": "sft", "train": "requests"},
            "Several answers of the instructed model to each request.", TABLE, estimate_samples, **models,
        ),
        artifact(
            "comparisons", comparisons(rankings), config.comparisons, {"answers": "answers", "requests": "requests"},
            "The answers to each request, ranked by an annotator who follows a constitution and errs now and then.",
            TABLE, estimate_comparisons, external=rankings.version if config.comparisons.uses_people else None,
        ),
        artifact(
            "reward", make_preference_model, config.reward,
            {"init": "sft", "generator": "sft", "comparisons": "comparisons"},
            "The preference reward model (Bradley-Terry): how good an answer is, learned from rankings alone.",
            MODEL, estimate_preferences, **models,
        ),
        artifact(
            "policy", make_policy, config.policy,
            {"policy": "sft", "generator": "sft", "prm": "reward", "orm": "reward", "train": "requests"},
            "The assistant: RLHF from the instructed model, by GRPO with the preference reward and a KL to that model.",
            MODEL, estimate_policy, resource_class=profile.class_of_training, launches=True,
        ),
    ]  # fmt: skip


def part_of(profile: Profile) -> str:
    """Optional where GPT* is made of the base."""
    return "" if profile.starts_from == PART else PART


def measures(profile: Profile) -> list[Artifact]:
    """assistant/eval, after the last round."""
    if profile.assistant is None:
        return []
    key = f"{PART}/eval"
    return [
        Artifact(
            key,
            make_assistant_eval,
            profile.assistant.eval,
            {
                "base": "base/model",
                "instructed": f"{PART}/sft",
                "assistant": POLICY,
                "generator": "generator/model",
                "policy": f"r{profile.rounds:02d}/policy",
                "test": "problems/test",
            },
            "Instructions followed, refusals, the win rate and the cost of alignment, of every model of the chain.",
            "eval",
            profile.seed_of(key),
            TABLE,
            resource_class=profile.model_class,
            part=part_of(profile),
            estimate=estimate_eval,
        )
    ]


# What it takes (`o1 plan`).

USEFUL = 0.46
"""Of the requests, the share with answers of which one is better than another; measured with 4 answers."""


def estimate_requests(context: EstimateContext, config: RequestsConfig) -> Estimate:
    return Estimate(config.requests, stored=TABLES / 2 + config.requests * ROW)


def estimate_demonstrations(context: EstimateContext, config: DemonstrationsConfig) -> Estimate:
    problems, assumed = context["requests"].problems, context.assumptions
    text = (assumed.question_tokens + assumed.solution_tokens) * assumed.bytes_a_token / 2
    return Estimate(problems, examples=problems, stored=TABLES / 2 + problems * text)


def estimate_comparisons(context: EstimateContext, config: ComparisonsConfig) -> Estimate:
    answers = context["answers"]
    rankings = answers.problems * USEFUL
    return Estimate(
        rankings, answers.samples * USEFUL, examples=rankings, stored=TABLES / 2 + answers.stored / 2
    )


def estimate_preferences(context: EstimateContext, config: PreferenceConfig) -> Estimate:
    """Updates on packed rankings, and one reading of all of them."""
    rankings = context["comparisons"]
    tokens = distinct_tokens(context, config.prompt, rankings.samples_each, rl_rounds=0)
    return estimate_reward_model(context, config, rankings.examples, tokens, tokens, heads=2)


def estimate_eval(context: EstimateContext, config: AssistantEvalConfig) -> Estimate:
    problems = min(config.problems, context["test"].problems)
    samples = problems * (config.samples + len(WORDS) + 2)
    tokens = samples * context.solution_tokens(config.prompt)
    cost = sum((context.generate(name, tokens) for name in MODELS), Cost())
    for name in GREEDY_TOO:
        cost += context.generate(
            name, problems * (1 + len(WORDS) + 2) * context.solution_tokens(config.prompt)
        )
    return Estimate(problems, samples, cost=cost, stored=2 * TABLES + CHART)
