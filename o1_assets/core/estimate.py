"""What an artifact is expected to take before it is made: the part of `o1 plan` that a stage declares.

A stage gives its `Artifact` an estimate function beside the compute function, and the two look alike:

    def make_policy(task: Task, config: PolicyConfig) -> Outcome: ...
    def estimate_policy(context: EstimateContext, config: PolicyConfig) -> Estimate: ...

The planner walks the graph in the order of the data, so that the estimates of an artifact's inputs are already there.
What flows along the graph (how many solutions a table holds, how large a model is) flows through the estimates too:
no stage asks for the key or the profile of another one. So a variant of the graph needs no estimate of its own.

No compute function mentions an estimate function, so that changing one makes nothing in a store stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field

from o1_assets.core.artifact import Artifact, Cost, StageConfig
from o1_assets.core.flops import flops_generate, flops_score, flops_train
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.shape import DecoderShape

# Each round of RL leaves this share of the distance of `novelty` to its last value. Measured on nano, GPT* and after
# each round: 0.74, 0.58, 0.47, 0.41, 0.37, 0.33, 0.31, 0.32, 0.22, 0.24, 0.22.
SHARPENING = 0.72

# Disk, coarsely: bytes of a PNG, of an artifact's tables without a row (their schemas and statistics), and of a row's
# ids and numbers. Parquet compresses, so that a row costs less than its columns' widths say.
CHART, TABLES, ROW = 12_000.0, 5_000.0, 7.0


class Assumptions(StageConfig):
    """Means over problems and sampled solutions that a plan needs and no configuration states."""

    source: str = Field(description="where the numbers come from")
    question_tokens: float = Field(gt=0, description="of a question, without the template around it")
    letters_a_token: float = Field(gt=0, description="for the template around the question")
    solution_tokens: float = Field(gt=0, description="of a sampled solution, its end token included")
    corpus_tokens: float = Field(0, ge=0, description="prompt and solution in the pre-training corpus")
    steps: float = Field(gt=0, description="steps of a sampled solution")
    kept_share: float = Field(gt=0, le=1, description="share of the base's samples that the SFT set keeps")
    novelty_first: float = Field(
        ge=0,
        le=1,
        description="b: N samples of GPT* on one problem share prefixes so that N**b solutions' tokens are distinct",
    )
    novelty_last: float = Field(ge=0, le=1, description="b of a policy after many rounds of RL")
    rated_first: float = Field(
        gt=0, le=1, description="share of a solution's steps that are rated, uniform choice"
    )
    rated_later: float = Field(gt=0, le=1, description="the same of convincing wrong answers")
    new_alternatives: float = Field(ge=0, le=1, description="share of drawn alternatives that are new")
    seconds_a_rating: float = Field(gt=0, description="a person's time for one rating")
    bytes_a_token: float = Field(gt=0, description="of a distinct solution's text and token ids, compressed")

    @property
    def step_tokens(self) -> float:
        return self.solution_tokens / self.steps

    @property
    def solution_bytes(self) -> float:
        return self.solution_tokens * self.bytes_a_token

    def novelty(self, rl_rounds: int) -> float:
        """The exponent b of the policy after `rl_rounds` rounds of RL; 0 rounds is GPT*."""
        return self.novelty_last + (self.novelty_first - self.novelty_last) * SHARPENING**rl_rounds


@dataclass(frozen=True)
class PlannedModel:
    """A checkpoint that is not there yet. Every model of a graph descends from a base and has its shape.

    rl_rounds: rounds of RL that made it, 0 for base and generator. heads: classes of a reward model, 0 for a language
    model. reads_generator: whether it is told the generator's log-probabilities, which cost a pass of the generator.
    """

    shape: DecoderShape
    bytes_per_weight: int = 4
    rl_rounds: int = 0
    heads: int = 0
    reads_generator: bool = False

    @property
    def stored(self) -> float:
        """Bytes of the checkpoint with a chart and its tokenizer, which takes some 70 bytes for each token."""
        # A reward model has no language-model head, a tied one shares its matrix with the embedding.
        matrices = 1 if self.heads or self.shape.tied else 2
        outside = (matrices * self.shape.vocabulary + self.heads) * self.shape.width
        weights = self.shape.non_embedding + outside
        return weights * self.bytes_per_weight + 70 * self.shape.vocabulary + CHART


@dataclass(frozen=True)
class Estimate:
    """What one artifact is expected to take, and what estimates of its descendants need to know of its content.

    problems, samples: how many problems are solved, and how many solutions sampled in all. examples: the rows that a
    descendant trains on, of `example_tokens` each. labels: ratings of completions; asked: those of them that people
    give. stored: bytes of its files. rated_steps, rated_alternatives: how many steps of one selected solution are
    rated, and how many alternatives. model: the checkpoint that the artifact is, None for tables. questions: to a
    judge, which reads and writes so many tokens for them.
    """

    problems: float = 0
    samples: float = 0
    examples: float = 0
    cost: Cost = field(default_factory=Cost)
    labels: float = 0
    asked: float = 0
    stored: float = 0
    example_tokens: float = 0
    rated_steps: float = 0
    rated_alternatives: float = 0
    model: PlannedModel | None = None
    questions: float = 0
    judge_reads: float = 0
    judge_writes: float = 0

    @property
    def samples_each(self) -> float:
        """Samples of one problem."""
        return self.samples / max(1.0, self.problems)

    def __add__(self, other: Estimate) -> Estimate:
        """The sum of what both take. Fields that describe the content of one artifact alone are dropped."""
        return Estimate(
            self.problems + other.problems,
            self.samples + other.samples,
            self.examples + other.examples,
            self.cost + other.cost,
            self.labels + other.labels,
            self.asked + other.asked,
            self.stored + other.stored,
            questions=self.questions + other.questions,
            judge_reads=self.judge_reads + other.judge_reads,
            judge_writes=self.judge_writes + other.judge_writes,
        )


@dataclass(frozen=True)
class EstimateContext:
    """What an estimate function is given, and the building blocks of its result.

    estimates: of every artifact before this one, by key. An input is named by its short name, as in a `Task`.
    """

    artifact: Artifact
    graph: Mapping[str, Artifact]
    estimates: Mapping[str, Estimate]
    assumptions: Assumptions

    def __getitem__(self, name: str) -> Estimate:
        return self.estimates[self.artifact.inputs[name]]

    def config(self, name: str) -> Any:
        """The configuration of an input."""
        return self.graph[self.artifact.inputs[name]].config

    def starting_with(self, prefix: str) -> dict[str, Estimate]:
        """The inputs whose short name begins with `prefix`, in order."""
        return {name: self[name] for name in sorted(self.artifact.inputs) if name.startswith(prefix)}

    def model(self, name: str, **changes: Any) -> PlannedModel:
        """The model of an input, with some of its fields changed where a training starts from it."""
        model = self[name].model
        if model is None:
            raise ValueError(f"{self.artifact.key} opens its input {name} as a model, which it is not")
        return replace(model, **changes)

    def prompt_tokens(self, prompt: PromptFormat) -> float:
        """Tokens of a question in its template."""
        return self.assumptions.question_tokens + len(prompt.render("")) / self.assumptions.letters_a_token

    def solution_tokens(self, prompt: PromptFormat) -> float:
        """Tokens of a sampled solution, which is cut off at the limit."""
        return min(self.assumptions.solution_tokens, prompt.max_tokens)

    def generate(self, name: str, tokens: float) -> Cost:
        """The cost of sampling `tokens` tokens with the model of an input."""
        flops = flops_generate(self.model(name).shape.non_embedding, tokens)
        return Cost(flops, tokens_generated=round(tokens))

    def score(self, name: str, tokens: float) -> Cost:
        """The cost of one pass of the model of an input over `tokens` tokens."""
        return Cost(flops_score(self.model(name).shape.non_embedding, tokens), tokens_scored=round(tokens))

    def train(self, name: str, tokens: float, config: StageConfig) -> Cost:
        """The cost of training the model of an input on `tokens` tokens."""
        return trained(self.model(name), tokens, config)

    def solutions_bytes(self, problems: float, samples: float, rl_rounds: int) -> float:
        """Bytes of a table of solutions; samples: of one problem. Repeated solutions compress well."""
        different = samples ** (self.assumptions.novelty(rl_rounds) - 1) if samples else 0.0
        # A fifth of a solution's bytes are left where the same one stands in the table already (nano's tables).
        each = self.assumptions.solution_bytes * (0.2 + 0.8 * different)
        return TABLES + problems * samples * each


def trained(model: PlannedModel, tokens: float, config: StageConfig) -> Cost:
    """The cost of training `model`. config: of the stage; under low-rank updates the weights get no gradient."""
    frozen = getattr(getattr(config, "tuning", None), "lora", None) is not None
    flops = flops_train(model.shape.non_embedding, round(tokens), frozen)
    return Cost(flops, tokens_trained=round(tokens))
