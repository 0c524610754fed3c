"""How long FLOPs take: on a GPU of the table at a stated utilisation, or on this machine's cores as measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from o1_assets.core.artifact import Artifact
from o1_assets.plan.gpus import PlanError, gpu_of
from o1_assets.plan.used import used
from o1_assets.store.store import ArtifactStore

NANO_ON_TWO_CORES = 1.6e10
"""FLOP/s of the whole nano run on two cores of an AMD EPYC (family 25), by `o1 plan --check`. Larger models compute
faster on the same cores: their matrices are."""


@dataclass(frozen=True)
class Speed:
    """flops_a_second: that are reached. words: on what, and where the number is from. memory: bytes; None unknown."""

    name: str
    flops_a_second: float
    words: str
    memory: float | None = None

    def guessed(self, parameters: int) -> bool:
        """Whether it is nano's speed for a model of another size."""
        return self.flops_a_second == NANO_ON_TWO_CORES and parameters > 10_000_000

    def hours(self, flops: float) -> float:
        return flops / self.flops_a_second / 3600


def speed_of(name: str, utilisation: float, store: ArtifactStore, graph: Mapping[str, Artifact]) -> Speed:
    """name: cpu, or a GPU of the table. utilisation: share of its peak that is reached. Raises PlanError."""
    if not 0 < utilisation <= 1:
        raise PlanError(
            f"--utilisation {utilisation} is no share of the peak; give more than 0 and at most 1"
        )
    if name != "cpu":
        gpu = gpu_of(name)
        words = f"{gpu.peak / 1e12:,.0f} TFLOP/s in bf16 ({gpu.source}) at {utilisation:.0%} of them"
        return Speed(name, gpu.peak * utilisation, words, gpu.memory)
    measured = used(store, graph).flops_a_second()
    if measured is None:
        return Speed(
            name, NANO_ON_TWO_CORES, "16 GFLOP/s, what nano reaches on two cores; nothing was run here yet"
        )
    return Speed(name, measured, f"{measured / 1e9:,.1f} GFLOP/s, measured on the runs in this store")
