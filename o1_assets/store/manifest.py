"""The manifest: how one version of one artifact was made. Written once, beside nothing that can change it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ManifestInput(BaseModel):
    """digest: of the input's content. version: which materialization of it was read (ArtifactStore.manifest)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    digest: str
    version: str


class ManifestCost(BaseModel):
    """seconds and peak_rss_gib of the computation; tokens and FLOPs as `artifact.Cost` counts them.

    A training that went on from where another process was killed counts all of its tokens and its own seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    seconds: float
    peak_rss_gib: float
    flops: float
    tokens_generated: int
    tokens_scored: int
    tokens_trained: int


class Environment(BaseModel):
    """What the computation ran on; recorded for the audit, never part of the cache key.

    threads and engine are what a replay computes with again. processes: of a training that several shared.
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
    """figures, sample and rows are what people see in the UI; they are not inputs to anything.

    version: the name under which the store keeps it, which holds its digest and so is no part of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
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
