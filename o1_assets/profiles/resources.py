"""What a resource class stands for. Artifacts name a class; a profile says what a step of it gets, and how many run."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from o1_assets.core.artifact import StageConfig

ClassName = Literal["cpu", "gpu1", "gpu8"]
CLASS_NAMES: tuple[ClassName, ...] = get_args(ClassName)
ExecutorName = Literal["local", "local-gpu", "ray", "k8s"]


class Resources(StageConfig):
    """One class. A scheduler of a cluster (ray, k8s) places steps by cpus, gpus and memory_gib."""

    cpus: float = Field(default=1, gt=0, description="cores of a step")
    gpus: int = Field(default=0, ge=0, description="GPUs of a step, for it alone")
    memory_gib: float | None = Field(default=None, gt=0, description="memory of a step; None states none")
    at_once: int = Field(
        default=1, gt=0, description="steps of the class at once, over all runs of a Dagster instance"
    )
    launch: int | None = Field(
        default=None,
        gt=0,
        description="processes that a training is launched as; None: one a GPU. The bytes of a result depend on it",
    )

    @property
    def processes(self) -> int:
        return self.launch or max(1, self.gpus)


class Classes(StageConfig):
    """gpu8 is what a training over all GPUs of a machine gets, however many `gpus` says they are."""

    cpu: Resources = Resources(at_once=2)
    gpu1: Resources = Resources(cpus=4, gpus=1)
    gpu8: Resources = Resources(cpus=32, gpus=8)

    def of(self, name: str) -> Resources:
        resources: Resources = getattr(self, name)
        return resources
