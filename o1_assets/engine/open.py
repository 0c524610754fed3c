"""Opens a checkpoint for sampling. The engine is a matter of the machine, so the caller names it, not the stage."""

from __future__ import annotations

from pathlib import Path

from o1_assets.engine.interface import Engine

ENGINES = ("transformers", "vllm")


def open_engine(path: Path, name: str = "transformers", batch_size: int = 512) -> Engine:
    """The checkpoint in a folder behind the engine of that name. Raises ValueError on an unknown name."""
    if name == "transformers":
        from o1_assets.engine.transformers_engine import TransformersEngine

        return TransformersEngine.open(path, batch_size)
    if name == "vllm":
        from o1_assets.engine.vllm_engine import VllmEngine

        return VllmEngine(path)
    raise ValueError(f"engine {name!r} is not one of {', '.join(ENGINES)}")
