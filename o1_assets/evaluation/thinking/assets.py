"""The artifacts of the optional part `thinking` that measure."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.core.errors import O1Error
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.engine.training.config import LoraConfig
from o1_assets.evaluation.thinking.config import PromptingConfig, ThinkingConfig
from o1_assets.evaluation.thinking.evaluate import make_thinking
from o1_assets.evaluation.thinking.measure import measured_trees
from o1_assets.evaluation.thinking.points import FEWEST, SAMPLED
from o1_assets.evaluation.thinking.prompting import make_prompting
from o1_assets.generator.assets import estimate_generator
from o1_assets.generator.sft import make_generator
from o1_assets.reward.estimate import distinct_tokens, read, searched_tokens
from o1_assets.search.vote import AT_ONCE

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


class PeftMissing(O1Error):
    """The package peft is not installed; the message says what to do."""


LOW_RANK = "generator/low_rank"


def thinking_artifacts(profile: Profile) -> list[Artifact]:
    # Where SFT trains low-rank updates itself there are no other weights to compare them with.
    rank = None if profile.sft.tuning.lora else profile.prompting.rank
    low_rank = [_low_rank_generator(profile, rank)] if rank else []
    return [_thinking(profile), *low_rank, _prompting(profile, bool(low_rank))]


def _thinking(profile: Profile) -> Artifact:
    last = f"r{profile.rounds:02d}"
    return Artifact(
        key="eval/thinking",
        compute=make_thinking,
        config=profile.thinking,
        inputs={
            "base": "base/model",
            "generator": "generator/model",
            "policy": f"{last}/policy",
            "prm": f"{last}/prm",
            "q_value": f"{last}/q_value",
            # One chain solves nearly all that is no longer than what was trained on.
            "test": "problems/longer" if profile.longer_problems else "problems/test",
        },
        seed=profile.seed_of("eval/thinking"),
        group="eval",
        description="What thinking longer buys, and who can use it: accuracy against test-time compute for "
        "every strategy, chains with limits and with doubts, four ways of prompting.",
        kinds=("parquet", "polars"),
        resource_class=profile.model_class,
        part="thinking",
        estimate=estimate_thinking,
    )


def _low_rank_generator(profile: Profile, rank: int) -> Artifact:
    tuning = profile.sft.tuning.model_copy(update={"lora": LoraConfig(rank=rank, alpha=2 * rank)})
    rate = profile.sft.learning_rate * profile.prompting.rank_rate
    return Artifact(
        key=LOW_RANK,
        compute=make_generator,
        config=profile.sft.model_copy(update={"tuning": tuning, "learning_rate": rate}),
        inputs={"base": profile.generator_start, "sft_set": "generator/sft_set"},
        # GPT*'s seed: it reads the same batches in the same order.
        seed=profile.seed_of("generator/model"),
        group="generator",
        description="GPT* again, of which low-rank updates alone were trained.",
        kinds=("pytorch", "huggingface"),
        resource_class=profile.model_class,
        part="thinking",
        estimate=estimate_generator,
        preflight=_require_peft,
    )


def _require_peft(quick: bool) -> None:
    if find_spec("peft") is None:
        raise PeftMissing(
            'low-rank updates need the package peft: pip install "o1-assets[lora]"; `--set prompting.rank=null` '
            "goes on without them"
        )


def _prompting(profile: Profile, comparable: bool) -> Artifact:
    return Artifact(
        key="eval/prompting",
        compute=make_prompting,
        config=profile.prompting,
        inputs={
            "base": "base/model",
            "generator": "generator/model",
            "policy": f"r{profile.rounds:02d}/policy",
            "sft_set": "generator/sft_set",
            "test": "problems/test",
            **({"assistant": profile.generator_start} if profile.starts_from == "assistant" else {}),
            **({"low_rank": LOW_RANK} if comparable else {}),
        },
        seed=profile.seed_of("eval/prompting"),
        group="eval",
        description="Worked examples in the prompt, constrained decoding, a self-check that is asked for, low-rank "
        "updates against all weights: accuracy and tokens of each.",
        kinds=("parquet", "polars"),
        resource_class=profile.model_class,
        part="thinking",
        estimate=estimate_prompting,
    )


# What it takes (`o1 plan`).

# The base is sampled and prompted alone: without the format that SFT teaches it cannot be searched by steps.
THINKERS = ("generator", "policy")

# Of a step's tokens: an answer that is asked for, its first word being given.
ANSWER = 0.5

# Of a solution's tokens: what follows a "wait" (nano: 14 of 29 tokens of GPT*, 13 of 26 of baby-o1).
DOUBT = 0.5

# Steps that a tree search is over its budget when it looks at it again.
OVERDRAWN = 2.5

# Of the budget, where a strategy stops when it is sure (nano, 1,024 tokens: 527 of GPT*, 548 of baby-o1).
# The others until an answer passes the check of its problem (countdown, assumed).
SPENT = {"adaptive": 0.5, "checked": 0.3, "checked-beam": 0.3}

# Bytes of a problem's value at one point of a curve; the same few values repeat.
VALUE = 3.0


@dataclass(frozen=True)
class ThinkingTokens:
    """Tokens of one problem. by_prm: read by the PRM; by_both: by it and the Q-value model."""

    written: float = 0
    by_prm: float = 0
    by_both: float = 0

    def __add__(self, other: ThinkingTokens) -> ThinkingTokens:
        return ThinkingTokens(
            self.written + other.written, self.by_prm + other.by_prm, self.by_both + other.by_both
        )


@dataclass(frozen=True)
class _Thinker:
    """One model, the short name of an input, and what it takes to solve a problem in each way."""

    context: EstimateContext
    config: ThinkingConfig
    name: str

    @property
    def rl_rounds(self) -> int:
        return self.context.model(self.name).rl_rounds

    @property
    def solution(self) -> float:
        return self.context.solution_tokens(self.config.prompt)

    @property
    def answer(self) -> float:
        return ANSWER * self.context.assumptions.step_tokens

    def samples(self, count: int) -> ThinkingTokens:
        """Whole solutions, and the answer without thinking.

        The PRM scores a batch of them at once and remembers nothing between two batches. Each batch reads its new steps
        and the paths to them again, of which half is new on average.
        """
        batch, novelty, tokens = (
            AT_ONCE,
            self.context.assumptions.novelty(self.rl_rounds),
            0.0,
        )
        for before in range(0, count, batch):
            drawn = min(batch, count - before)
            new = (before + drawn) ** novelty - before**novelty if before else drawn
            different = min(drawn, 2 * new) if before else drawn
            tokens += distinct_tokens(self.context, self.config.prompt, different, self.rl_rounds)
        return ThinkingTokens(count * self.solution + self.answer, tokens)

    def tree(self, label: str, tokens: float) -> ThinkingTokens:
        step = min(self.context.assumptions.step_tokens, self.config.step_tokens)
        written = tokens * SPENT.get(label, 1.0) + OVERDRAWN * step
        nodes = searched_tokens(self.context, self.config.prompt, written / self.solution, self.rl_rounds)
        match measured_trees(self.config)[label].reads:
            case "q":
                return ThinkingTokens(written, by_both=nodes)
            case "prm":
                return ThinkingTokens(written, by_prm=nodes)
        return ThinkingTokens(written)

    def trees(self) -> ThinkingTokens:
        tokens = self.config.tree_tokens * self.config.tree_seeds
        return sum((self.tree(label, tokens) for label in measured_trees(self.config)), ThinkingTokens())

    def timed(self, problems: float) -> ThinkingTokens:
        """With a time-out: of all problems together, and of some of them alone."""
        tokens = self.config.tree_tokens
        trees = measured_trees(self.config)
        alone = min(1.0, self.config.timed_problems / problems)
        total = ThinkingTokens()
        for name in self.config.timed:
            way = (
                self.tree(name, tokens) if name in trees else self.samples(math.ceil(tokens / self.solution))
            )
            total += ThinkingTokens(*((1 + alone) * value for value in astuple(way)))
        return total

    def prompting(self) -> ThinkingTokens:
        """The tree that is compared with a vote of as many tokens."""
        return self.tree(self.config.tree, self.config.votes * self.solution)

    def chains(self) -> ThinkingTokens:
        """Chains cut off at each length, with an answer where one was, and chains that are told to wait."""
        limits = self.config.limits
        limited = sum(min(n, self.solution) + self.answer * (n < self.solution) for n in limits)
        doubted = self.solution * (1 + DOUBT * max(self.config.waits))
        return ThinkingTokens(self.config.chains * (limited + doubted))


def estimate_thinking(context: EstimateContext, config: ThinkingConfig) -> Estimate:
    """The base votes and is prompted; the others search every tree, and think for longer and shorter."""
    problems = min(config.problems, context["test"].problems)
    base = _Thinker(context, config, "base")
    total = base.samples(config.votes) + base.prompting()
    for name in THINKERS:
        model = _Thinker(context, config, name)
        total += model.samples(config.samples) + model.chains() + model.prompting() + model.trees()
    total += _Thinker(context, config, "policy").timed(problems)
    cost = context.generate("base", problems * total.written)
    cost += read(context, problems * total.by_prm, "prm")
    cost += read(context, problems * total.by_both, "prm", "q_value")
    samples = problems * (config.votes + len(THINKERS) * config.samples)
    stored = problems * len(THINKERS) * _points(config) * VALUE + 4 * CHART + 4 * TABLES
    return Estimate(problems, samples, cost=cost, stored=stored)


def _points(config: ThinkingConfig) -> float:
    """Points on all curves of one model: budgets double from each to the next."""
    sampled = len(SAMPLED) * (1 + math.floor(math.log2(config.samples)))
    trees = len(measured_trees(config)) * max(0.0, 1 + math.log2(config.tree_tokens / FEWEST))
    return 1 + sampled + trees + 2 * len(config.limits) + len(config.waits)


# Ways of asking (`prompting.Prompted.ways`) but for the words of doubt: without examples, and with them.
ALONE, WITH_EXAMPLES = 2, 4
PROMPTED = ("base", "assistant", "generator", "policy")


def estimate_prompting(context: EstimateContext, config: PromptingConfig) -> Estimate:
    """Each model without an example, with some, constrained, made to look at itself; two fine-tunings of the base."""
    chains = min(config.problems, context["test"].problems) * config.chains
    solution, prompt = context.solution_tokens(config.prompt), context.prompt_tokens(config.prompt)
    doubted = len(config.doubts) * (1 + DOUBT) * solution
    ways = ALONE + WITH_EXAMPLES + len(config.doubts)
    # Two ways show all examples, and one its own solution.
    shown = (3 * config.examples + 1) * (prompt + solution)
    cost = Cost()
    models = [name for name in PROMPTED if name in context.artifact.inputs]
    for name in models:
        cost += context.generate(name, chains * ((ALONE + WITH_EXAMPLES) * solution + doubted))
        cost += context.score(name, chains * (ways * prompt + shown))
    rows = len(models) * ways + 2
    return Estimate(chains, chains * rows, cost=cost, stored=TABLES + rows * config.problems * VALUE)
