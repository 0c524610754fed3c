"""The computation of a recorded version, from its manifest: configuration, seed, threads and engine as recorded.

Of today's graph only the compute function is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from o1_assets.artifact import Artifact, Outcome, Task
from o1_assets.audit.circumstances import checkout
from o1_assets.engine.available import EngineMissing
from o1_assets.engine.interface import Engine
from o1_assets.graph import build_graph
from o1_assets.labels.source import LabelSource
from o1_assets.materialize import prepare_compute, spent_on
from o1_assets.profiles.profile import Profile
from o1_assets.settings import Settings
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

_ROUND = re.compile(r"r(\d\d)/")


class CannotRemake(Exception):
    """Today's code has no computation for this version, or this machine no engine; the message says what has."""


def recorded_artifact(manifest: Manifest, profile: Profile, settings: Settings) -> Artifact:
    """The artifact as it was. settings: the home whose inbox and imported sources it reads.

    Raises CannotRemake when today's code does not know the key, or its configuration.
    """
    artifact = build_graph(_profile_of(manifest, profile), settings).get(manifest.key)
    if artifact is None:
        raise CannotRemake(f"today's code makes no {manifest.key}; {checkout(manifest)}")
    try:
        config = type(artifact.config).model_validate(manifest.config)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise CannotRemake(
            f"the configuration of {manifest.key} does not fit today's code (at {field}); {checkout(manifest)}"
        ) from None
    inputs = {name: item.key for name, item in manifest.inputs.items()}
    return replace(artifact, config=config, seed=manifest.seed, inputs=inputs)


def remake(
    manifest: Manifest,
    artifact: Artifact,
    inputs: Mapping[str, Path],
    out: Path,
    progress: Callable[[str], None],
    store: ArtifactStore,
) -> Outcome:
    """Fills `out`. Raises what the compute function raises, CannotRemake where it needs an engine that is not here."""
    from o1_assets.engine.open import open_engine

    def opened(path: Path) -> Engine:
        try:
            return open_engine(path, manifest.environment.engine)
        except EngineMissing as error:
            raise CannotRemake(f"{manifest.key} was sampled on another engine: {error}") from None

    prepare_compute(manifest.environment.threads, artifact.resource_class)
    task = Task(
        inputs=inputs,
        out=out,
        seed=manifest.seed,
        open_engine=opened,
        progress=progress,
        spent=lambda name: spent_on(store, manifest.inputs[name]),
    )
    return artifact.compute(task, artifact.config)


def _profile_of(manifest: Manifest, profile: Profile) -> Profile:
    """Today's profile, with the round in it, and that round imported exactly if it was."""
    match = _ROUND.match(manifest.key)
    if match is None:
        return profile
    k, source = int(match[1]), manifest.config.get("source")
    imported = LabelSource(name=source, first=k, last=k) if isinstance(source, str) else None
    return profile.model_copy(update={"rounds": max(profile.rounds, k), "label_source": imported})
