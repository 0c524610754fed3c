"""Opens a checkpoint for sampling. The engine is a matter of the machine, so the caller names it, not the stage."""

from __future__ import annotations

from pathlib import Path

from o1_assets.core.engine import Engine
from o1_assets.engine.available import require_engine


def open_engine(path: Path, name: str = "transformers", batch_size: int = 512) -> Engine:
    """The checkpoint in a folder behind the engine of that name.

    Raises ValueError on an unknown name, EngineMissing where the engine cannot be opened here. batch_size is for
    transformers; vLLM makes its own batches.
    """
    require_engine(name)
    if name == "vllm":
        from o1_assets.engine.vllm_engine import VllmEngine

        return VllmEngine(path)
    from o1_assets.engine.transformers_engine import TransformersEngine

    return TransformersEngine.open(path, batch_size)
