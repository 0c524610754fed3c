"""What `ablations/verifiers` asks: which verifier finds the right one among N solutions, and what it has to be told.

The arms are reward models, each named by what it is and by how many labelled solutions it learns from. Those of
`STARTS` all learn from the most ratings and differ in what they had read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.reward.config import ORMConfig, PRMConfig, VerifierConfig

Supervision = Literal["labels", "large_steps", "large_outcome", "answer"]
StartName = Literal[
    "homework_same_size", "grown", "grown_larger", "large_without_homework", "single_operations",
    "exact_marks", "marks_as_writers",
]  # fmt: skip


class VerifiersConfig(StageConfig):
    """ablations/verifiers. What is not said here is as in the profile's first_prm and first_orm."""

    sizes: tuple[int, ...] = Field(
        (100, 1000), min_length=1, description="labelled solutions, rising; the last is the main models'"
    )
    compared: tuple[int, ...] = Field(
        (),
        description="those of sizes at which the large PRM supervises; by default none, since that was answered "
        "(docs/decisions/experiments.md)",
    )
    updates: int = Field(240, gt=0, description="of every model")
    threshold: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="the large PRM calls a step wrong where P(negative) is above this (Lightman et al., appendix H)",
    )
    n: int = Field(64, gt=0, description="the N of the claims, and the samples that all models score")
    problems: int = Field(120, gt=1, description="problems of each pool that all models score")
    subsets: int = Field(200, gt=0, description="random subsets for each N")
    starts: tuple[StartName, ...] = Field(
        (),
        description="starts of PRMs that are compared with GPT* as the start, "
        f"of {', '.join(get_args(StartName))}; each takes a pre-training",
    )
    homework_pages: int | None = Field(
        None, gt=0, description="pages of graded homework that each start reads; None: the profile's"
    )
    larger_layers: int = Field(8, gt=0, description="new layers of the start grown_larger")
    step_samples: int = Field(
        16, gt=0, description="solutions a problem whose steps the compared PRMs are judged by"
    )
    again_samples: int = Field(
        8, gt=0, description="next steps that works_again samples from GPT* after each prefix"
    )


class TrainingConfig(StageConfig):
    """One training of one arm.

    supervision: what the model learns from. labels: ratings as the annotators gave them; large_steps, large_outcome:
    the large PRM's judgement of each step, or whether it calls all steps right; answer: whether the final answer is.
    solutions: how many labelled solutions; None: all that were sampled (outcomes cost no labels).
    """

    supervision: Supervision
    solutions: int | None = Field(gt=0)
    threshold: float
    training: PRMConfig | ORMConfig


class ScoresConfig(StageConfig):
    """The scores of all models of one training seed. main: those that score whole pools."""

    arms: tuple[str, ...]
    main: tuple[str, ...]
    problems: int
    samples: int
    prompt: PromptFormat = PromptFormat()


class ComparedConfig(StageConfig):
    """What the compared PRMs read: all samples of the first problems of the test pool.

    step_samples: how many samples of each problem are kept with a value for each step.
    """

    arms: tuple[str, ...]
    problems: int
    step_samples: int
    prompt: PromptFormat = PromptFormat()


class AgainConfig(StageConfig):
    """works_again. samples: next steps for each prefix, of at most max_step_tokens tokens."""

    samples: int
    max_step_tokens: int
    temperature: float
    problems: int
    step_samples: int
    prompt: PromptFormat = PromptFormat()


class GrowConfig(StageConfig):
    """The start that reads nothing: the base with new layers."""

    new_layers: int


class VerifiersResultConfig(StageConfig):
    """The judgement of all seeds. compared_arms: name of each compared verifier -> what it is, in a few words."""

    sizes: tuple[int, ...]
    compared: tuple[int, ...]
    seeds: int
    n: int
    problems: int
    subsets: int
    resamples: int
    compared_arms: Mapping[str, str]


EVERY = "orm_all"
"""The best supplied ORM: the outcomes of all sampled solutions."""


def prm(size: int) -> str:
    return f"prm_{size}"


def orm(size: int) -> str:
    """On the solutions of prm(size), supervised by the final answer."""
    return f"orm_{size}"


def bare(size: int) -> str:
    """FROM_GENERATOR without the probability feature."""
    return f"prm_bare_{size}"


FROM_GENERATOR = "prm_from_generator"
"""On the most labels: starts from GPT* and reads how unlikely GPT* finds each step."""


def started(name: str) -> str:
    """A PRM on the most labels that starts from one of `STARTS`."""
    return f"prm_{name}"


def large_process(size: int) -> str:
    return f"prm_by_large_{size}"


def large_outcome(size: int) -> str:
    return f"orm_by_large_{size}"


WORKS_AGAIN = "works_again"
"""A verifier without a training: GPT* works each step out again, and agrees or not."""


STARTS: dict[StartName, str] = {
    "homework_same_size": "GPT*'s size, graded homework",
    "grown": "the base with more layers, graded homework",
    "grown_larger": "the base with still more layers, graded homework",
    "large_without_homework": "the base with more layers, no homework",
    "single_operations": "the base with more layers, homework of single operations",
    "marks_as_writers": "as grown; its teachers err as often as the pupils",
    "exact_marks": "as grown; its teachers hold no misconception",
}
"""What a compared PRM without the probability feature starts from -> what it is, in a few words."""


def start_configs(config: VerifiersConfig, verifier: VerifierConfig | None) -> dict[str, VerifierConfig]:
    """Name of each start that reads homework -> its training. verifier: the profile's."""
    like = verifier or VerifierConfig()
    pages = {} if config.homework_pages is None else {"pages": config.homework_pages}

    def start(homework: Mapping[str, float] | None = None, **changes: int) -> VerifierConfig:
        read = like.homework.model_copy(update={**pages, **(homework or {})})
        return like.model_copy(update={"homework": read, **changes})

    every = {
        "homework_same_size": start(new_layers=0),
        "grown": start(),
        "grown_larger": start(new_layers=config.larger_layers),
        "single_operations": start({"drill_share": 1.0}),
        "marks_as_writers": start({"marker_scale": 1.0}),
        "exact_marks": start({"marker_scale": 0.0}),
    }
    return {name: training for name, training in every.items() if name in config.starts}


def compared_arms(config: VerifiersConfig) -> dict[str, str]:
    """Arm -> what it is: the PRMs that learn from the same ratings and differ in their start and in what they read."""
    size = config.sizes[-1]
    return {
        prm(size): "start and probability feature of the profile's PRM",
        FROM_GENERATOR: "GPT* with the probability feature",
        bare(size): "GPT* without it",
        **{started(name): STARTS[name] for name in config.starts},
    }


def trainings(
    config: VerifiersConfig, prm_config: PRMConfig, orm_config: ORMConfig
) -> dict[str, TrainingConfig]:
    """Arm -> its training. All problems are trained on: what is held out for judging is in other tables."""
    same = {"updates": config.updates, "holdout": 0.0}
    process = prm_config.model_copy(update=same)
    outcome = orm_config.model_copy(update={**same, "solutions": None})

    def arm(supervision: str, size: int | None, training: PRMConfig | ORMConfig) -> TrainingConfig:
        return TrainingConfig.model_validate(
            {
                "supervision": supervision,
                "solutions": size,
                "threshold": config.threshold,
                "training": training,
            }
        )

    largest = config.sizes[-1]
    without = process.model_copy(update={"probability_feature": False})
    feature = process.model_copy(update={"probability_feature": True})
    return {
        **{prm(size): arm("labels", size, process) for size in config.sizes},
        **{orm(size): arm("answer", size, outcome) for size in config.sizes},
        EVERY: arm("answer", None, outcome),
        bare(largest): arm("labels", largest, without),
        FROM_GENERATOR: arm("labels", largest, feature),
        **{started(name): arm("labels", largest, without) for name in config.starts},
        **{large_process(size): arm("large_steps", size, process) for size in config.compared},
        **{large_outcome(size): arm("large_outcome", size, outcome) for size in config.compared},
    }
