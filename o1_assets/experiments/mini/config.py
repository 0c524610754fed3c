"""Every number of o1-mini: its shape, what it is taught with, and how it is measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.config import EvalConfig

# Of the train problems, by the hash of their ids: no arm trains on them, and they choose the model.
CHOICE_SHARE = 0.1

# Of baby-o1's accuracy, and of its time or FLOPs for one chain: what o1-mini has to keep, and may take.
ACCURACY_SHARE, TIME_SHARE = 0.9, 1 / 3


class TeachersChainsConfig(StageConfig):
    """Solutions of a larger model, of which the student imitates those that are accepted."""

    accepted_by: Literal["reward_models", "answers"] = Field(
        "reward_models",
        description="PRM and ORM, as for baby-o1's; or the known final answers, as for GPT*'s",
    )
    least_score: float = Field(
        0.5, ge=0, le=1, description="of the PRM, and of the ORM, for both to accept a solution"
    )
    # RL has sharpened baby-o1: eight solutions of a problem were 1.06 different ones that were accepted (nano).
    problems: int = Field(4000, gt=0, description="train problems, the first by problem_id")
    samples: int = Field(4, gt=0, description="solutions a problem")
    per_problem: int = Field(4, gt=0, description="different solutions of a problem that are imitated")
    min_steps: int = Field(2, ge=1, description="fewest steps: a bare answer shows no reasoning")
    temperature: float = Field(1.0, gt=0, description="of the solutions")
    prompt: PromptFormat = PromptFormat()


class OnPolicyConfig(StageConfig):
    """On-policy distillation: the student writes, and learns the teacher's distribution at each of its tokens."""

    updates: int = Field(300, gt=0, description="each on new solutions of the student")
    solutions: int = Field(64, gt=0, description="of an update, one a problem")
    muon_lr: float = Field(0.006, gt=0, description="Muon's learning rate, for the layers' matrices")
    adamw_lr: float = Field(2e-3, gt=0, description="AdamW's learning rate, for embeddings and norms")
    warmup: int = Field(10, ge=0, description="updates of linear warm-up, before the linear decay to zero")
    max_grad_norm: float = Field(1.0, gt=0, description="gradient norm is clipped to this")
    temperature: float = Field(1.0, gt=0, description="of the student's solutions")
    prompt: PromptFormat = PromptFormat()


class ChoiceConfig(StageConfig):
    """The train problems by which one of the arms becomes o1-mini."""

    problems: int = Field(200, gt=1, description="of those that no arm was trained on")
    samples: int = Field(8, gt=0, description="solutions a problem")
    temperature: float = Field(1.0, gt=0, description="of the solutions")
    prompt: PromptFormat = PromptFormat()


class MiniEvalConfig(EvalConfig):
    """mini/eval. samples: of each problem, also the N of best of N and the largest vote."""

    ood_problems: int = Field(90, gt=1, description="problems out of distribution")
    ood_samples: int = Field(8, gt=0, description="solutions of each of them")
    longer: float = Field(1.5, ge=1, description="their token limit, times the profile's")
    timed_problems: int = Field(64, gt=0, description="problems that each model solves against the clock")
    timings: int = Field(
        5, gt=0, description="times that it does; the fastest counts, as other work only adds"
    )


class MiniConfig(StageConfig):
    """The optional part `mini`. What is not said here is as in the profile."""

    # A quarter of nano's parameters. Two layers and not four: a token takes a small model as long as its layers are
    # many. Attention heads of 32 are the smallest that vLLM's CPU attention has.
    hidden_size: int = Field(64, gt=0, description="width of the residual stream")
    intermediate_size: int = Field(152, gt=0, description="width of the gated MLP")
    layers: int = Field(2, gt=0, description="decoder layers")
    heads: int = Field(2, gt=0, description="attention heads")
    adamw_lr: float = Field(3.75e-3, gt=0, description="of pre-training; it rises as the width falls")
    corpus_solutions: int = Field(
        30_000, gt=0, description="of the base's corpus: a smaller model is best trained on less"
    )
    chains: TeachersChainsConfig = TeachersChainsConfig()
    sft_learning_rate: float = Field(2e-3, gt=0, description="AdamW's peak, of both arms that imitate chains")
    on_policy: OnPolicyConfig = OnPolicyConfig()
    # With problems that take others' place it writes up to 19,600 solutions, as many as the on-policy student's 19,200.
    rl_updates: int = Field(34, gt=0, description="of the arm that is RL on the student itself")
    choice: ChoiceConfig = ChoiceConfig()
    eval: MiniEvalConfig = MiniEvalConfig()
