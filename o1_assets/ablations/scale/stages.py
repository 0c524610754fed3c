"""A model of one size from nothing to its reward models: the graph's own functions, and what each cost.

Deliberately nothing else: what differs between sizes is their configuration alone.
"""

from __future__ import annotations

from dataclasses import replace

from o1_assets.ablations.scale.config import Shape
from o1_assets.ablations.spent import write_cost
from o1_assets.artifact import Outcome, StageConfig, Task
from o1_assets.base.config import BaseConfig
from o1_assets.base.pretrain import make_base
from o1_assets.generator.config import SamplesConfig, SftConfig, SftSetConfig
from o1_assets.generator.samples import make_samples
from o1_assets.generator.sft import make_generator
from o1_assets.generator.sft_set import make_sft_set
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.reward.train import make_orm, make_prm
from o1_assets.seeds import derive_seed


class SizedBaseConfig(StageConfig):
    shape: Shape
    base: BaseConfig


class SizedGeneratorConfig(StageConfig):
    shape: Shape
    samples: SamplesConfig
    sft_set: SftSetConfig
    sft: SftConfig


class SizedPRMConfig(StageConfig):
    shape: Shape
    prm: PRMConfig


class SizedORMConfig(StageConfig):
    shape: Shape
    orm: ORMConfig


def sized_base(task: Task, config: SizedBaseConfig) -> Outcome:
    """Input "test", as `make_base`."""
    return _with_cost(task, make_base(task, config.base))


def sized_generator(task: Task, config: SizedGeneratorConfig) -> Outcome:
    """Inputs "base" and "train": samples and the SFT set stand in folders of the checkpoint.

    Raises ValueError where the base solves no train problem.
    """
    samples, sft_set = task.out / "samples", task.out / "sft_set"
    samples.mkdir()
    sft_set.mkdir()
    sampled = make_samples(
        replace(task, out=samples, seed=derive_seed(task.seed, "samples"), unfinished=None), config.samples
    )
    make_sft_set(
        replace(task, inputs={"samples": samples, "train": task.inputs["train"]}, out=sft_set), config.sft_set
    )
    inputs = {"base": task.inputs["base"], "sft_set": sft_set}
    tuned = make_generator(replace(task, inputs=inputs, seed=derive_seed(task.seed, "sft")), config.sft)
    figures = {"train_pass@1": sampled.figures["correct_share"], **tuned.figures}
    return _with_cost(task, Outcome(figures, sampled.cost + tuned.cost, tuned.rows))


def sized_prm(task: Task, config: SizedPRMConfig) -> Outcome:
    """As `make_prm`."""
    return _with_cost(task, make_prm(task, config.prm))


def sized_orm(task: Task, config: SizedORMConfig) -> Outcome:
    """As `make_orm`."""
    return _with_cost(task, make_orm(task, config.orm))


def _with_cost(task: Task, outcome: Outcome) -> Outcome:
    write_cost(task.out, outcome.cost, int(outcome.figures.get("updates") or 0))
    return outcome
