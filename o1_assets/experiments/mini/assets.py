"""The optional part `mini`: a quarter of baby-o1's parameters, taught in four ways; the best one is o1-mini.

    mini/base ─┬─ arms/chains ── arms/on_policy      distillation from baby-o1
               └─ arms/generator_chains ── arms/rl   controls: GPT*'s right chains, and RL on the student itself
    all four ── mini/model ── mini/eval

DeepSeek-R1 (arXiv:2501.12948, table 6) and Qwen3 (arXiv:2505.09388, section 4.5) claim that a small model learns more
by distillation than by RL on itself, at a fraction of the compute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from o1_assets.base.assets import estimate_base
from o1_assets.base.pretrain import make_base
from o1_assets.core.artifact import Artifact, Compute, Cost, Estimator, StageConfig
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.experiments.experiment import base_of
from o1_assets.experiments.mini.chains import make_chains
from o1_assets.experiments.mini.choose import make_model
from o1_assets.experiments.mini.config import (
    CHOICE_SHARE,
    ChoiceConfig,
    MiniConfig,
    MiniEvalConfig,
    OnPolicyConfig,
    TeachersChainsConfig,
)
from o1_assets.experiments.mini.evaluate import make_mini_eval
from o1_assets.experiments.mini.measured import ARMS, MODELS
from o1_assets.experiments.mini.on_policy import make_on_policy
from o1_assets.experiments.pools.assets import OOD
from o1_assets.generator.assets import estimate_generator
from o1_assets.generator.sft import make_generator
from o1_assets.policy.config import EarlyStopConfig, PolicyConfig, ReplayConfig
from o1_assets.policy.estimate import estimate_policy
from o1_assets.policy.train import make_policy
from o1_assets.reward.estimate import distinct_tokens, read

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

PART = "mini"


def artifacts(profile: Profile) -> list[Artifact]:
    """Of profiles whose base is pre-trained here: the student reads the same corpus."""
    config, last = profile.mini, f"r{profile.rounds:02d}"
    teacher, train = f"{last}/policy", "problems/train"
    rewards = {"prm": f"{last}/prm", "orm": f"{last}/orm", "generator": "generator/model"}
    arms = {name: f"{PART}/arms/{name}" for name in ARMS if name != "student"}
    sft = profile.sft.model_copy(update={"learning_rate": config.sft_learning_rate})

    def artifact(
        name: str,
        compute: Compute,
        config: StageConfig,
        inputs: dict[str, str],
        description: str,
        estimate: Estimator,
        trains: bool = True,
    ) -> Artifact:
        key = f"{PART}/{name}"
        kinds = ("pytorch", "huggingface") if trains else ("parquet", "polars")
        return Artifact(
            key, compute, config, inputs, description, PART, profile.seed_of(key), kinds,
            resource_class=profile.model_class, part=PART, estimate=estimate,
        )  # fmt: skip

    def imitates(chains: str, says: str) -> Artifact:
        inputs = {"base": f"{PART}/base", "sft_set": f"{PART}/{chains}"}
        return artifact(
            f"arms/{chains}", make_generator, sft, inputs, f"The student after {says}.", estimate_generator
        )

    by_answers = config.chains.model_copy(update={"accepted_by": "answers"})
    return [
        artifact(
            "base", make_base, student_base(profile), profile.kept_out,
            "The student before it is taught: a quarter of the base's parameters, pre-trained on the same corpus.",
            estimate_base,
        ),
        artifact(
            "chains", make_chains, config.chains, {"teacher": teacher, "train": train, **rewards},
            "Solutions of the last baby-o1 that PRM and ORM accept.", estimate_chains, trains=False,
        ),
        artifact(
            "generator_chains", make_chains, by_answers, {"teacher": "generator/model", "train": train},
            "Solutions of GPT* with the right final answer: what a teacher without RL can give.",
            estimate_chains, trains=False,
        ),
        imitates("chains", "one epoch on baby-o1's accepted chains"),
        imitates("generator_chains", "one epoch on GPT*'s right chains"),
        artifact(
            "arms/on_policy", make_on_policy, config.on_policy,
            {"student": arms["chains"], "teacher": teacher, "train": train},
            "The student after on-policy distillation: it writes, baby-o1 says at each token what it would write.",
            estimate_on_policy,
        ),
        artifact(
            "arms/rl", make_policy, students_rl(profile.policy, config),
            {"policy": arms["generator_chains"], "train": train, **rewards},
            "The student after RL on itself, rewarded as baby-o1 was: the control.", estimate_policy,
        ),
        artifact(
            "model", make_model, config.choice, {**arms, "train": train},
            "o1-mini: the best of the arms on train problems that none of them was trained on.", estimate_model,
        ),
        artifact(
            "eval", make_mini_eval, config.eval,
            {
                "base": "base/model", "generator": "generator/model", "policy": teacher, "mini": f"{PART}/model",
                **arms, "student": f"{PART}/base", "prm": rewards["prm"], "test": "problems/test", "ood": OOD,
            },
            "o1-mini beside base, GPT* and baby-o1: accuracy against FLOPs, seconds and size.",
            estimate_mini_eval, trains=False,
        ),
    ]  # fmt: skip


def student_base(profile: Profile) -> StageConfig:
    """The base's configuration, with the student's shape."""
    base, config = base_of(profile), profile.mini
    shape = {
        name: getattr(config, name)
        for name in ("hidden_size", "intermediate_size", "layers", "heads", "adamw_lr")
    }
    corpus = base.corpus.model_copy(update={"solutions": config.corpus_solutions})
    return base.model_copy(update={**shape, "corpus": corpus})


def students_rl(policy: PolicyConfig, config: MiniConfig) -> PolicyConfig:
    """As baby-o1's, but in one round, without the pull towards GPT*, which is larger than the student."""
    # The problems that choose among the arms are those of an early stop: no update sees them.
    stop = EarlyStopConfig(every=max(1, config.rl_updates // 4), share=CHOICE_SHARE)
    return policy.model_copy(
        update={
            "updates": config.rl_updates,
            "kl_coefficient": 0.0,
            "curriculum": 0.0,
            "replay": ReplayConfig(),
            "early_stop": stop,
        }
    )


# What it takes (`o1 plan`).

# Share of a teacher's solutions that are accepted: nano's baby-o1 by its reward models; GPT*'s right ones are fewer.
ACCEPTED = 0.74


def estimate_chains(context: EstimateContext, config: TeachersChainsConfig) -> Estimate:
    """The teacher's solutions, which reward models read where they accept."""
    problems = min(config.problems, (1 - CHOICE_SHARE) * context["train"].problems)
    samples, rl_rounds = problems * config.samples, context.model("teacher").rl_rounds
    cost = context.generate("teacher", samples * context.solution_tokens(config.prompt))
    if config.accepted_by == "reward_models":
        cost += read(
            context,
            problems * distinct_tokens(context, config.prompt, config.samples, rl_rounds),
            "prm",
            "orm",
        )
    assumed = context.assumptions
    different = config.samples ** assumed.novelty(rl_rounds)
    examples = problems * min(config.per_problem, different) * ACCEPTED
    text = (assumed.question_tokens + assumed.solution_tokens) * assumed.bytes_a_token / 2
    return Estimate(problems, samples, examples=examples, cost=cost, stored=TABLES / 2 + examples * text)


def estimate_on_policy(context: EstimateContext, config: OnPolicyConfig) -> Estimate:
    """The student writes and learns, the teacher reads what it wrote."""
    samples, solution = config.updates * config.solutions, context.solution_tokens(config.prompt)
    tokens = samples * (solution + context.prompt_tokens(config.prompt))
    model = context.model("student")
    cost = context.generate("student", samples * solution) + context.score("teacher", tokens)
    return Estimate(
        samples=samples,
        cost=cost + context.train("student", tokens, config),
        stored=model.stored,
        model=replace(model, rl_rounds=context.model("teacher").rl_rounds),
    )


def estimate_model(context: EstimateContext, config: ChoiceConfig) -> Estimate:
    """Each arm solves the problems that choose."""
    problems = min(config.problems, CHOICE_SHARE * context["train"].problems)
    arms = [name for name in context.artifact.inputs if name != "train"]
    samples = problems * config.samples
    cost = sum_costs(context, arms, samples * context.solution_tokens(config.prompt))
    model = context.model("on_policy")
    return Estimate(problems, samples * len(arms), cost=cost, stored=model.stored + TABLES / 4, model=model)


def estimate_mini_eval(context: EstimateContext, config: MiniEvalConfig) -> Estimate:
    """The models are sampled and read by the PRM; the arms, and the problems out of distribution, are sampled."""
    solution = context.solution_tokens(config.prompt)
    problems = min(config.problems, context["test"].problems)
    ood = min(config.ood_problems, context["ood"].problems)
    cost = sum_costs(context, MODELS, (problems * config.samples + ood * config.ood_samples) * solution)
    cost += sum_costs(context, ARMS, problems * config.ood_samples * solution)
    for name in MODELS:
        rl_rounds = context.model(name).rl_rounds
        cost += read(
            context, problems * distinct_tokens(context, config.prompt, config.samples, rl_rounds), "prm"
        )
    return Estimate(problems, cost=cost, stored=3 * TABLES + 2 * CHART)


def sum_costs(context: EstimateContext, models: Iterable[str], tokens: float) -> Cost:
    """Of sampling so many tokens with each of the models."""
    return sum((context.generate(name, tokens) for name in models), Cost())
