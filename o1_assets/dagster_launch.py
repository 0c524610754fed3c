"""A training of several processes as a Dagster step: `accelerate launch` through Pipes."""

from __future__ import annotations

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from o1_assets.artifact import Artifact
from o1_assets.launch import guarded
from o1_assets.materialize import Made, known
from o1_assets.settings import PROJECT
from o1_assets.store.store import ArtifactStore


class TrainingFailed(Exception):
    """The processes of a training did not finish it; the message says why, or where it can be read."""


def make_in_processes(
    context: dg.AssetExecutionContext, artifact: Artifact, store: ArtifactStore, processes: int
) -> Made:
    """As `materialize`, by that many processes; none is started where an equal computation was done.

    Raises MissingInput, StoreError, TrainingFailed.
    """
    found = known(artifact, store)
    if found is not None:
        return found
    client = dg.PipesSubprocessClient(cwd=str(PROJECT))
    try:
        done = client.run(context=context, command=guarded(artifact.key, processes))
    except DagsterPipesExecutionError as error:
        raise TrainingFailed(
            f"{processes} processes of {artifact.key} failed: {error}; what they printed is in the step's stderr"
        ) from error
    (said,) = done.get_custom_messages()
    if "error" in said:
        raise TrainingFailed(str(said["error"]))
    return Made(store.manifest(artifact.key, str(said["version"])), bool(said["cached"]))
