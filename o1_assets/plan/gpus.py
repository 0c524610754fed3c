"""What accelerators can do at most, as their makers state it: dense bf16 with fp32 accumulation, no sparsity."""

from __future__ import annotations

from dataclasses import dataclass

from o1_assets.core.errors import O1Error


class PlanError(O1Error):
    """Says in one sentence what cannot be planned and what to give instead."""


@dataclass(frozen=True)
class Gpu:
    """peak: bf16 FLOP/s of the tensor cores without sparsity. memory: bytes. source: where both are stated."""

    name: str
    peak: float
    memory: float
    source: str


_T, _GB = 1e12, 1e9


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
