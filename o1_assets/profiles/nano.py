"""nano: the whole loop on two CPU cores. How its numbers were found: docs/decisions/nano.md."""

from __future__ import annotations

from o1_assets.base.config import BaseConfig, CorpusConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.experiments.config import AblationsConfig
from o1_assets.experiments.rewards.config import RLConfig
from o1_assets.generator.config import SamplesConfig, SftConfig
from o1_assets.labels.config import QualityConfig
from o1_assets.policy.config import PolicyConfig, ReplayConfig, ResamplingConfig, RewardConfig
from o1_assets.problems.config import ArithmeticFilter, Generator, ProblemsConfig, ReasoningGymSource, uniform
from o1_assets.profiles.profile import Profile
from o1_assets.reward.config import ORMConfig, PRMConfig, VerifierConfig
from o1_assets.rounds.config import SearchConfig, SelectionConfig, SolutionsConfig

# With 3 to 7 terms and values to 200 most errors were wrongly copied operands, which labels cannot teach.
MIN_TERMS, MAX_TERMS = 3, 5

# Misconceptions at 1.5 times the table's rates: below that, majority voting is as good as the PRM.
BASE = BaseConfig(corpus=CorpusConfig(misconception_scale=1.5, max_factor=4, max_value=60))

# What GPT* finds nearly impossible is a slip. How unlikely it finds any other step is not told: where GPT* is wrong by
# rule the right step is the unlikely one, and a PRM that could count on popularity would condemn it.
SLIPS = (-8.0, -6.0, -4.5, -3.5, -2.5)

ARITHMETIC = {
    "min_terms": MIN_TERMS,
    "max_terms": MAX_TERMS,
    "min_digits": 1,
    "max_digits": 1,
    "operators": ["+", "-", "*"],
    "allow_parentheses": False,
    "allow_negation": False,
    "format_style": "natural",
}

NANO = Profile(
    name="nano",
    rounds=10,
    threads=2,
    annotator="oracle",
    quality=QualityConfig(gold=15),
    prompt=PromptFormat(max_tokens=64),
    problems=ProblemsConfig(
        source=ReasoningGymSource(generators=(Generator(name="basic_arithmetic", parameters=ARITHMETIC),)),
        train=4000,
        test=300,
        arithmetic=ArithmeticFilter(
            min_terms=MIN_TERMS,
            max_terms=MAX_TERMS,
            max_value=BASE.corpus.max_value,
            max_factor=BASE.corpus.max_factor,
        ),
        shares=uniform(MIN_TERMS, MAX_TERMS),
    ),
    base=BASE,
    verifier=VerifierConfig(probability_edges=SLIPS),
    samples=SamplesConfig(problems=1500),
    sft=SftConfig(batch_size=32),
    # Phase 1 is small, as the paper's: with 1,000 solutions labelled, v0 left less for the later rounds to find.
    first_solutions=SolutionsConfig(problems=800, samples=4),
    later_solutions=SolutionsConfig(
        problems=200,
        samples=16,
        # GPT* proposes: RL narrows the policy, and a search of its own ends with what it samples anyway.
        searches=(
            SearchConfig(name="beam", strategy="beam", proposer="generator", problems=60, tokens=400),
            SearchConfig(name="chains", strategy="best-of-n", proposer="generator", problems=60, tokens=300),
        ),
    ),
    # Where no sample of a problem is right people write a solution, and RL replays it: without, the policy only
    # sharpens what it can do (docs/decisions/nano.md). The exact checker plays these people too.
    first_selection=SelectionConfig(
        strategy="uniform",
        solutions=400,
        per_problem=2,
        completions=4,
        max_step_tokens=16,
        written_steps="solution",
        most_written=120,
    ),
    later_selection=SelectionConfig(
        strategy="convincing_wrong",
        condemned_share=0.25,
        solutions=200,
        per_problem=2,
        completions=4,
        max_step_tokens=16,
        written_steps="solution",
    ),
    # Some six passes over round 0's labels; more only lowered the training loss.
    first_prm=PRMConfig(updates=150, probability_edges=SLIPS),
    later_prm=PRMConfig(updates=80, newest_share=0.3, probability_edges=SLIPS),
    # The ORM sees more solutions than the PRM, because outcomes cost no labels.
    first_orm=ORMConfig(updates=300, solutions=2000, probability_edges=SLIPS),
    later_orm=ORMConfig(updates=80, solutions=300, newest_share=0.3, probability_edges=SLIPS),
    # From GPT*, 100 updates ended at .616 pass@1 with 2e-4, .678 with 4e-4, and .681 with 8e-4, which costs diversity.
    policy=PolicyConfig(
        reward=RewardConfig(outcome_weight=1.0),
        updates=24,
        learning_rate=8e-4,
        kl_coefficient=0.2,
        resampling=ResamplingConfig(reserve=1.0),
        replay=ReplayConfig(weight=0.5, sources=("written",)),
    ),
    round_eval=RoundEvalConfig(problems=60, samples=64),
    headline_eval=RoundEvalConfig(problems=120, samples=64, seeds=3),
    ablations=AblationsConfig(rl=RLConfig(learning_rate=2e-4)),
)
