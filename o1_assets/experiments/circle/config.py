"""Every number of the virtuous circle: its base, the chains of a generation, its training, its measurement."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.config import EvalConfig
from o1_assets.problems.instructions import WORDS as INSTRUCTIONS

WORDS = INSTRUCTIONS["step_by_step"]
"""What the base of generation 0 has to be told before it thinks: one token, in front of the question."""

Kept = Literal["verified", "unverified", "direct"]
"""Which of its own solutions a base learns from: verified chains, any chains, right direct answers."""


def with_words(prompt: PromptFormat) -> PromptFormat:
    """The same prompt, told to think.

    >>> with_words(PromptFormat()).render("What is 3 + 4?")
    'Step by step: What is 3 + 4?\\n'
    """
    return prompt.model_copy(update={"template": WORDS + prompt.template})


class DirectBaseConfig(StageConfig):
    """A base whose corpus has chains only where the question begins with the words."""

    base: BaseConfig


class RowsConfig(StageConfig):
    """What a generation learns from: solutions of train problems by the base of the generation before."""

    kept: Kept = Field(
        "verified",
        description="verified: chains with the answer that the vote of PRM and samples chose, and that PRM and ORM "
        "accept; unverified: any finished chains; direct: answers alone that are right by the answer key",
    )
    generation: int = Field(1, ge=1, description="which of the train problems: each generation has others")
    problems: int = Field(900, gt=0, description="train problems of a generation")
    samples: int = Field(8, gt=0, description="solutions a problem, which vote")
    temperature: float = Field(1.0, gt=0, description="of the solutions")
    least_score: float = Field(
        0.5, ge=0, le=1, description="of the PRM, and of the ORM, for a chain to be accepted"
    )
    per_problem: int = Field(4, gt=0, description="different solutions of a problem that are learned from")
    rows: int = Field(
        2400, gt=0, description="solutions of a training; fewer that were kept are read several times"
    )
    prompt: PromptFormat = PromptFormat()


class NextBaseConfig(StageConfig):
    """How the base of a generation is trained on its rows, in one pass."""

    batch_size: int = Field(32, gt=0, description="solutions an update")
    muon_lr: float = Field(0.006, gt=0, description="Muon's learning rate, for the layers' matrices")
    adamw_lr: float = Field(1.5e-3, gt=0, description="AdamW's learning rate, for embeddings and norms")
    warmup: int = Field(10, ge=0, description="updates of linear warm-up, before the linear decay to zero")
    max_grad_norm: float = Field(1.0, gt=0, description="gradient norm is clipped to this")


class CircleEvalConfig(EvalConfig):
    """How a generation is measured: with and without the words."""

    problems: int = Field(300, gt=2, description="held-out problems")
    samples: int = Field(4, gt=1, description="solutions a problem, with the words and without")
    ood_problems: int = Field(90, gt=1, description="problems out of distribution")
    longer: float = Field(1.5, ge=1, description="their token limit, times the profile's")


class CircleConfig(StageConfig):
    """The optional part `circle`. What is not said here is as in the profile."""

    generations: int = Field(3, ge=1, le=9, description="times that a base learns from the one before it")
    direct_rate: float = Field(
        0.6,
        gt=0,
        lt=1,
        description="share of the base's corpus that is the answer alone; the rest are chains",
    )
    corpus_solutions: int | None = Field(
        None, gt=0, description="of the base's corpus; null: as many as in that of the loop's base"
    )
    rows: RowsConfig = RowsConfig()
    training: NextBaseConfig = NextBaseConfig()
    eval: CircleEvalConfig = CircleEvalConfig()
