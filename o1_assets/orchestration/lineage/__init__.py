"""OpenLineage events of what is made, for whoever collects lineage of many systems. Off unless configured."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from o1_assets.core.artifact import Artifact
from o1_assets.store.store import ArtifactStore


@dataclass(frozen=True)
class Parent:
    """The Dagster run that the artifact is made in."""

    run_id: str
    job: str


@dataclass(frozen=True)
class Observed:
    """One attempt at an artifact. run_id: OpenLineage's name of the attempt, a new one each time."""

    artifact: Artifact
    profile: str
    parent: Parent
    store: ArtifactStore
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
