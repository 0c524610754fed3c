"""micro: nano's world with longer problems and a model of about 20M parameters, for half an hour of one GPU.

It was planned, and tested shrunk on CPUs, but never run on a GPU. docs/micro.md says why every number is what it is.
"""

from __future__ import annotations

from typing import Any

from o1_assets.base.config import BaseConfig, CorpusConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.config import TuningConfig
from o1_assets.evaluation.config import RoundEvalConfig, SummaryConfig
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.experiments.config import AblationsConfig
from o1_assets.experiments.mini.config import MiniConfig, OnPolicyConfig
from o1_assets.experiments.pools.config import OodConfig, PoolsConfig, larger, longer, other
from o1_assets.generator.config import SamplesConfig, SftConfig
from o1_assets.labels.config import QualityConfig
from o1_assets.policy.config import PolicyConfig
from o1_assets.problems.config import ArithmeticFilter, Generator, ProblemsConfig, ReasoningGymSource, uniform
from o1_assets.profiles.nano import ARITHMETIC
from o1_assets.profiles.profile import Profile
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig
from o1_assets.search.q_value.config import QValueConfig

MIN_TERMS, MAX_TERMS = 6, 10
# Right solutions of ten numbers have about 59 tokens; a wrong step and its `wait` make them longer.
MAX_TOKENS = 160
MAX_STEPS = 24
STEP_TOKENS = 16
BFLOAT16 = TuningConfig(autocast=True)

BASE = BaseConfig(
    corpus=CorpusConfig(
        solutions=800_000, max_terms=MAX_TERMS, misconception_scale=1.0, max_factor=9, max_value=99
    ),
    hidden_size=512,
    intermediate_size=1408,
    layers=6,
    heads=8,
    batch_size=256,
    muon_lr=0.01,
    adamw_lr=1e-3,
    warmup=100,
    autocast=True,
)

REWARDS: dict[str, Any] = {
    # The feature is a remedy for four layers that cannot check arithmetic by themselves.
    "probability_feature": False,
    "batch_size": 32,
    "muon_lr": 3e-3,
    "adamw_lr": 1e-3,
    "score_tokens": 16_384,
    "tuning": BFLOAT16,
}

MICRO = Profile(
    name="micro",
    rounds=10,
    threads=4,
    model_class="gpu1",
    annotator="oracle",
    quality=QualityConfig(gold=15),
    prompt=PromptFormat(max_tokens=MAX_TOKENS),
    problems=ProblemsConfig(
        source=ReasoningGymSource(
            generators=(
                Generator(
                    name="basic_arithmetic",
                    parameters=ARITHMETIC | {"min_terms": MIN_TERMS, "max_terms": MAX_TERMS},
                ),
            )
        ),
        train=20_000,
        test=500,
        arithmetic=ArithmeticFilter(
            min_terms=MIN_TERMS,
            max_terms=MAX_TERMS,
            max_value=BASE.corpus.max_value,
            max_factor=BASE.corpus.max_factor,
        ),
        shares=uniform(MIN_TERMS, MAX_TERMS),
    ),
    base=BASE,
    samples=SamplesConfig(problems=4000),
    sft=SftConfig(learning_rate=3e-4, batch_size=64, tuning=BFLOAT16),
    first_solutions=SolutionsConfig(problems=2000, samples=4),
    later_solutions=SolutionsConfig(problems=400, samples=16),
    first_selection=SelectionConfig(
        strategy="uniform", solutions=800, per_problem=2, completions=4, max_step_tokens=STEP_TOKENS
    ),
    later_selection=SelectionConfig(
        strategy="convincing_wrong",
        solutions=300,
        per_problem=2,
        completions=4,
        max_step_tokens=STEP_TOKENS,
    ),
    first_prm=PRMConfig(updates=150, **REWARDS),
    later_prm=PRMConfig(updates=80, newest_share=0.3, **REWARDS),
    first_orm=ORMConfig(updates=300, solutions=4000, **REWARDS),
    later_orm=ORMConfig(updates=80, solutions=1000, newest_share=0.3, **REWARDS),
    policy=PolicyConfig(
        updates=24,
        problems_per_update=32,
        group_size=16,
        learning_rate=1e-4,  # an eighth of nano's for five times its width; untried
        max_steps=MAX_STEPS,
        tuning=BFLOAT16,
    ),
    round_eval=RoundEvalConfig(problems=100, samples=64),
    headline_eval=RoundEvalConfig(problems=200, samples=64, seeds=3),
    summary=SummaryConfig(example_steps=14),
    q_value=QValueConfig(
        tree_tokens=4 * MAX_TOKENS,
        max_steps=MAX_STEPS,
        **REWARDS,
    ),
    thinking=ThinkingConfig(max_steps=MAX_STEPS),
    # A quarter of the parameters in half of the layers; planned, never run.
    mini=MiniConfig(
        hidden_size=352,
        intermediate_size=960,
        layers=3,
        heads=11,
        adamw_lr=1.2e-3,
        corpus_solutions=400_000,
        sft_learning_rate=1e-3,
        on_policy=OnPolicyConfig(updates=600, solutions=128),
    ),
    ablations=AblationsConfig(
        pools=PoolsConfig(
            ood=OodConfig(
                kinds=(longer(11, 12, {11: 0.5, 12: 0.5}, 300, 9), larger(6, 8, 1000, 30), other(10))
            )
        ),
    ),
)
