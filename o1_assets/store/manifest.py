"""The manifest says how one version of one artifact was made. It is written once and never changed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ManifestInput(BaseModel):
    """An input as it was read. digest: of its content. version: the name of its manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    digest: str
    version: str


class ManifestCost(BaseModel):
    """What the computation took, attempts that were killed included; tokens and FLOPs as `artifact.Cost` counts them.

    peak_rss_gib: the largest resident memory of the process.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Seconds and memory differ between two equal computations, so no artifact may contain them.
    seconds: float
    peak_rss_gib: float
    flops: float
    tokens_generated: int
    tokens_scored: int
    tokens_trained: int


class Environment(BaseModel):
    """What the computation ran on; recorded for the audit, never part of the cache key.

    threads and engine: a replay uses the same again. processes: how many shared the training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    git_commit: str | None
    git_dirty: bool | None
    python: str
    libraries: dict[str, str]
    hardware: str
    threads: int
    engine: str = "transformers"
    processes: int = 1


class Manifest(BaseModel):
    """How one version of an artifact was made, and what it holds.

    figures, sample and rows are shown to people; they are not inputs to anything. version: the name under which the
    store keeps the manifest.
    """

    # Forbidden: a manifest with other fields was written by another release, and whoever reads it has to know.
    model_config = ConfigDict(frozen=True, extra="forbid")
    # Left out of the file, because the name contains the digest of the file.
    version: str = Field("", exclude=True)
    format: Literal[2] = 2
    key: str
    digest: str
    cache_key: str
    inputs: dict[str, ManifestInput]
    external: str | None
    code_version: str
    config: dict[str, Any]
    seed: int
    profile: str
    finished: str
    cost: ManifestCost
    figures: dict[str, float | int | str | None]
    rows: int | None
    sample: list[dict[str, Any]]
    environment: Environment
