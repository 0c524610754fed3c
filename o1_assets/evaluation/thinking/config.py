"""Every number of eval/thinking and eval/prompting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import QUESTION, PromptFormat


class ThinkingConfig(StageConfig):
    """eval/thinking: held-out problems, solved by every strategy with every budget."""

    problems: int = Field(100, gt=1, description="held-out problems, the same for every strategy and model")
    # Eight doublings: 2.4 decades of compute, of which a line needs two before it saturates.
    samples: int = Field(
        256, gt=0, description="solutions a problem for the strategies that sample whole ones"
    )
    subsets: int = Field(200, gt=0, description="random subsets of them for each N")
    tree_tokens: int = Field(2048, gt=0, description="largest budget of the strategies that search a tree")
    tree_seeds: int = Field(1, gt=0, description="independent searches of each problem and strategy")
    # nano's solutions of 3, 4 and 5 numbers have some 22, 35 and 50 tokens: the limits lie on both sides.
    limits: tuple[int, ...] = Field(
        (4, 8, 16, 24, 32, 48, 64), description="token limits of a chain, with and without forcing its answer"
    )
    waits: tuple[int, ...] = Field((1, 2, 4), description="how often a chain is made to doubt its answer")
    chains: int = Field(4, gt=0, description="chains a problem for the limits and the waits")
    votes: int = Field(16, gt=0, description="chains that vote where four ways of prompting are compared")
    tree: Literal["beam", "dvts", "mcts", "astar", "adaptive"] = Field(
        "beam", description="the tree search of that comparison, at the vote's tokens"
    )
    self_check: bool = Field(
        False,
        description="measure the strategies that stop at an answer which passes its own problem's check, too",
    )
    mixed: bool = Field(
        False, description="measure the strategies in which GPT* proposes in turn with the model, too"
    )
    timed: tuple[
        Literal[
            "consistency", "best-of-n", "weighted", "posterior", "beam", "dvts", "mcts", "astar", "adaptive"
        ],
        ...,
    ] = Field(("posterior", "beam", "adaptive"), description="strategies that are measured against seconds")
    timed_problems: int = Field(
        10, gt=0, description="problems of which each is thought about alone, to see how long a batch takes"
    )
    folds: int = Field(
        10, gt=1, description="parts of the problems, for choosing on others than are measured on"
    )
    resamples: int = Field(1000, gt=0, description="bootstrap samples of the problems, for the 95% intervals")
    prompt: PromptFormat = PromptFormat()
    max_steps: int = Field(16, gt=0)
    """Most steps of a solution in a tree."""
    step_tokens: int = Field(32, gt=0)
    """Most tokens of a step in a tree."""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature."""

    @model_validator(mode="after")
    def _votes_are_measured(self) -> Self:
        # A vote is read off the same curve, which has powers of two alone.
        if self.votes > self.samples or self.votes & (self.votes - 1) or self.votes < 1:
            raise ValueError(
                f"votes={self.votes} has to be one of 1, 2, 4, 8, ... and at most samples={self.samples}"
            )
        return self


SOLUTION, EXAMPLES = "{solution}", "{examples}"


class PromptingConfig(StageConfig):
    """eval/prompting: worked examples, constrained decoding, a self-check that is asked for, low-rank fine-tuning."""

    problems: int = Field(100, gt=1, description="held-out problems, the first of those of eval/thinking")
    chains: int = Field(4, gt=0, description="chains a problem in each way")
    examples: int = Field(3, gt=0, description="worked examples in a prompt, of train problems")
    example: str = Field(
        "{question}\n{solution}\n", description="how one is written; it has a {question} and a {solution}"
    )
    template: str | None = Field(
        None,
        description="the prompt with {examples} and {question}; null: that of `prompt` after the examples",
    )
    doubts: tuple[str, ...] = Field(
        ("wait ", "check "), description="words that take an answer's place, to have a chain look at itself"
    )
    pattern: str | None = Field(
        None,
        description="how a constrained solution is written, a regular expression; null: as its world's steps are, or "
        "any lines and then the answer",
    )
    rank: int | None = Field(
        4, gt=0, description="of the low-rank updates that SFT of all weights is compared with; null: of none"
    )
    # With one rate for both the rates would be compared: low-rank updates want about ten times that of all weights.
    rank_rate: float = Field(10.0, gt=0, description="their learning rate, in learning rates of SFT")
    prompt: PromptFormat = PromptFormat()
    max_steps: int = Field(16, gt=0, description="most steps of a chain that is asked to look at itself")
    step_tokens: int = Field(32, gt=0, description="most tokens of such a step")
    temperature: float = Field(1.0, ge=0, description="sampling temperature")

    @model_validator(mode="after")
    def _parts_are_named(self) -> Self:
        for name, text, parts in (
            ("example", self.example, (QUESTION, SOLUTION)),
            ("template", self.template or EXAMPLES + QUESTION, (EXAMPLES, QUESTION)),
        ):
            missing = [part for part in parts if part not in text]
            if missing:
                raise ValueError(f"{name} has no {' and no '.join(missing)}")
        return self

    def shown(self, question: str, examples: Sequence[tuple[str, str]]) -> str:
        """The prompt. examples: (question, solution) each."""
        worked = "".join(
            self.example.replace(QUESTION, asked).replace(SOLUTION, solution) for asked, solution in examples
        )
        if not examples:
            return self.prompt.render(question)
        template = self.template or EXAMPLES + self.prompt.template
        return template.replace(EXAMPLES, worked).replace(QUESTION, question)
