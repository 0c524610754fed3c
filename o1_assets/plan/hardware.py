"""The speed of machines: a GPU of the table at a stated utilisation, or this machine's cores as measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from o1_assets.core.artifact import Artifact
from o1_assets.core.flops import flops_generate
from o1_assets.plan import PlanError
from o1_assets.plan.check import usage
from o1_assets.store.store import ArtifactStore

# FLOP/s of the whole nano run on two cores of an AMD EPYC (family 25), by `o1 plan --check`. Larger models compute
# faster on the same cores: their matrices are larger.
NANO_ON_TWO_CORES = 1.6e10


@dataclass(frozen=True)
class Gpu:
    """peak: bf16 FLOP/s of the tensor cores without sparsity. memory: bytes. source: where both are stated."""

    name: str
    peak: float
    memory: float
    source: str


_T, _GB = 1e12, 1e9

# What accelerators can do at most, as their makers state it: dense bf16 with fp32 accumulation. Datasheets print the
# number with sparsity first, which is twice this one and which no training here reaches.
GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu(
            "h100",
            989.4 * _T,
            80 * _GB,
            "NVIDIA H100 datasheet, SXM5 (1,979 TFLOPS with sparsity, half without)",
        ),
        Gpu("h100-pcie", 756 * _T, 80 * _GB, "NVIDIA H100 datasheet, PCIe (1,513 with sparsity)"),
        Gpu("h200", 989.4 * _T, 141 * _GB, "NVIDIA H200 datasheet, SXM (1,979 with sparsity)"),
        Gpu(
            "b200",
            2250 * _T,
            180 * _GB,
            "NVIDIA DGX B200 datasheet (36 PFLOPS with sparsity for eight, half without)",
        ),
        Gpu("a100", 312 * _T, 80 * _GB, "NVIDIA A100 datasheet, SXM4 80 GB"),
        Gpu("l40s", 362.05 * _T, 48 * _GB, "NVIDIA L40S datasheet (733 with sparsity)"),
        Gpu("l4", 121 * _T, 24 * _GB, "NVIDIA L4 datasheet (242 with sparsity, half without)"),
        Gpu("a10", 125 * _T, 24 * _GB, "NVIDIA A10 datasheet"),
        Gpu("rtx4090", 165.2 * _T, 24 * _GB, "NVIDIA Ada GPU architecture whitepaper, appendix A"),
        Gpu("rtx3090", 71 * _T, 24 * _GB, "NVIDIA GA102 GPU architecture whitepaper, table 3"),
        Gpu("mi300x", 1307.4 * _T, 192 * _GB, "AMD Instinct MI300X data sheet"),
    )
}


def gpu_of(name: str) -> Gpu:
    """Raises PlanError naming those that there are."""
    if name not in GPUS:
        raise PlanError(
            f"there is no GPU {name!r} in the table; choose cpu or one of: {', '.join(sorted(GPUS))}"
        )
    return GPUS[name]


# Shares of a GPU's peak that are reached where nothing else is said. Reading and training: Llama 3 was trained at 38 to
# 43% (arXiv:2407.21783, table 4), whose batches are larger. Writing is bound by memory bandwidth and, in small models,
# by what comes between two kernels: docs/qwen.md has the published rates that these are made of.
UTILISATION = 0.3
WRITING_SMALL, WRITING_LARGE, LARGE = 0.05, 0.1, 3_000_000_000


def writing_utilisation(parameters: int) -> float:
    """The share of a GPU's peak that vLLM reaches while it writes with a model of so many parameters."""
    return WRITING_LARGE if parameters >= LARGE else WRITING_SMALL


@dataclass(frozen=True)
class Speed:
    """flops_a_second: as reached. words: a clause with the machine and the source. memory: bytes, None if unknown.

    peak: of a GPU whose utilisation nobody has stated: there writing is slower than all else; None: one speed for all.
    """

    name: str
    flops_a_second: float
    words: str
    memory: float | None = None
    peak: float | None = None

    def is_guess_for(self, parameters: int) -> bool:
        """Whether it is nano's speed although the model is much larger than nano's."""
        return self.flops_a_second == NANO_ON_TWO_CORES and parameters > 10_000_000

    def hours(self, flops: float, tokens_written: float = 0, parameters: int = 0) -> float:
        """flops: of all work, that of the tokens written included. parameters: of the model that writes."""
        if self.peak is None:
            return flops / self.flops_a_second / 3600
        written = min(flops, flops_generate(parameters, tokens_written))
        writing = self.peak * writing_utilisation(parameters)
        return ((flops - written) / self.flops_a_second + written / writing) / 3600


def speed_of(
    name: str, utilisation: float | None, store: ArtifactStore, graph: Mapping[str, Artifact]
) -> Speed:
    """name: cpu, or a GPU of the table. utilisation: share of its peak that is reached at all work; None: UTILISATION,
    and less while writing. Raises PlanError."""
    share = UTILISATION if utilisation is None else utilisation
    if not 0 < share <= 1:
        raise PlanError(
            f"--utilisation {utilisation} is no share of the peak; give more than 0 and at most 1"
        )
    if name != "cpu":
        gpu = gpu_of(name)
        words = f"{gpu.peak / 1e12:,.0f} TFLOP/s in bf16 ({gpu.source}) at {share:.0%} of them"
        if utilisation is not None:
            return Speed(name, gpu.peak * share, words, gpu.memory)
        words += f", while writing at {WRITING_SMALL:.0%}, from 3B parameters on {WRITING_LARGE:.0%}"
        return Speed(name, gpu.peak * share, words, gpu.memory, gpu.peak)
    # What this machine reached with these models says more than any table of processors.
    measured = usage(store, graph).flops_a_second()
    if measured is None:
        return Speed(
            name, NANO_ON_TWO_CORES, "16 GFLOP/s, what nano reaches on two cores; nothing was run here yet"
        )
    return Speed(name, measured, f"{measured / 1e9:,.1f} GFLOP/s, measured on the runs in this store")
