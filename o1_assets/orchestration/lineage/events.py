"""OpenLineage run events from artifacts and manifests. The only module that imports the library's types.

A job is an artifact's key. A dataset is a key in the store, and its version is the digest of its content. A batch of
labels from people is a dataset in the inbox. Whatever has no standard facet is in `o1_...` facets.
"""

from __future__ import annotations

import json
import os
from typing import Any

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    RunFacet,
    dataset_version_dataset,
    documentation_job,
    error_message_run,
    execution_parameters_run,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    source_code_location_job,
)

from o1_assets.execution.environment import head_commit, place_of, repository_url, source_url
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.orchestration.lineage import Observed
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

# The specification wants a URI that identifies the code which produced the event.
PRODUCER = repository_url() or "urn:o1-assets"
BATCHES = "label_batches"


def started(observed: Observed, moment: str) -> RunEvent:
    # Inputs without versions: which ones are read is known for certain from the manifest alone.
    names = dict.fromkeys(observed.artifact.inputs.values())
    inputs = [InputDataset(namespace=_store(observed.store), name=key) for key in names]
    return _event(RunState.START, observed, moment, inputs=inputs)


def completed(observed: Observed, moment: str, manifest: Manifest, cached: bool) -> RunEvent:
    """Inputs and output by digest, as the manifest records them, also where an earlier result was found."""
    # By key and digest: two short names may stand for one input.
    inputs = {
        (item.key, item.digest): InputDataset(
            namespace=_store(observed.store), name=item.key, facets=_version(item.digest, item.version)
        )
        for item in manifest.inputs.values()
    }
    batches = _batches(observed.store, manifest)
    run: Any = RunFacet().with_additional_properties(
        cache="hit" if cached else "miss",
        cacheKey=manifest.cache_key,
        profile=manifest.profile,
        finished=manifest.finished,
        cost=manifest.cost.model_dump(),
        environment=manifest.environment.model_dump(),
    )
    return _event(
        RunState.COMPLETE,
        observed,
        moment,
        manifest=manifest,
        inputs=[*inputs.values(), *batches],
        outputs=[_output(observed.store, manifest)],
        run_facets={"o1_computation": run},
    )


def aborted(observed: Observed, moment: str, why: str) -> RunEvent:
    """The artifact waits for people: nothing failed, and nothing was made."""
    return _event(RunState.ABORT, observed, moment, run_facets={"errorMessage": _error(why)})


def failed(observed: Observed, moment: str, message: str, trace: str) -> RunEvent:
    return _event(RunState.FAIL, observed, moment, run_facets={"errorMessage": _error(message, trace)})


def _event(
    state: RunState,
    observed: Observed,
    moment: str,
    manifest: Manifest | None = None,
    inputs: list[InputDataset] | None = None,
    outputs: list[OutputDataset] | None = None,
    run_facets: dict[str, Any] | None = None,
) -> RunEvent:
    return RunEvent(
        eventType=state,
        eventTime=moment,
        producer=PRODUCER,
        run=Run(runId=observed.run_id, facets={**_run_facets(observed), **(run_facets or {})}),
        job=Job(namespace=_namespace(), name=observed.artifact.key, facets=_job_facets(observed, manifest)),
        inputs=inputs or [],
        outputs=outputs or [],
    )


def _run_facets(observed: Observed) -> dict[str, Any]:
    from importlib.metadata import version

    artifact, parent = observed.artifact, observed.parent
    config = artifact.config.model_dump(mode="json")
    parameters = {"seed": artifact.seed, "profile": observed.profile, **config}
    # Parent and root are the same: a Dagster run is started by nothing that sends events.
    root = parent_run.Root(
        run=parent_run.RootRun(runId=parent.run_id),
        job=parent_run.RootJob(namespace=_namespace(), name=parent.job),
    )
    return {
        "parent": parent_run.ParentRunFacet(
            run=parent_run.Run(runId=parent.run_id),
            job=parent_run.Job(namespace=_namespace(), name=parent.job),
            root=root,
        ),
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version=version("dagster"), name="dagster"
        ),
        "executionParameters": execution_parameters_run.ExecutionParametersRunFacet(
            parameters=[
                execution_parameters_run.ExecutionParameter(
                    key=name, name=name, value=value if isinstance(value, str) else json.dumps(value)
                )
                for name, value in parameters.items()
            ]
        ),
    }


def _job_facets(observed: Observed, manifest: Manifest | None) -> dict[str, Any]:
    from o1_assets.execution.code_version import code_version

    artifact, place = observed.artifact, place_of(observed.artifact.compute)
    # A result that was found in the store was made by the code of its manifest, which may not be today's.
    commit = manifest.environment.git_commit if manifest else head_commit()
    version = manifest.code_version if manifest else code_version(artifact.compute, artifact.unused)
    location: Any = source_code_location_job.SourceCodeLocationJobFacet(
        type="git",
        url=source_url(place, commit) or f"file://{place.file}",
        repoUrl=repository_url(),
        path=place.path,
        version=commit,
    )
    location = location.with_additional_properties(
        codeVersion=version, localChanges=manifest.environment.git_dirty if manifest else None
    )
    return {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="DAGSTER", jobType="ASSET"
        ),
        "documentation": documentation_job.DocumentationJobFacet(description=artifact.description),
        "sourceCodeLocation": location,
    }


def _output(store: ArtifactStore, manifest: Manifest) -> OutputDataset:
    files = store.tree(manifest.digest)
    figures: Any = DatasetFacet().with_additional_properties(
        figures={name: value for name, value in manifest.figures.items() if value is not None}
    )
    return OutputDataset(
        namespace=_store(store),
        name=manifest.key,
        facets={**_version(manifest.digest, manifest.version), "o1_figures": figures},
        outputFacets={
            "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=manifest.rows, size=sum(entry["size"] for entry in files), fileCount=len(files)
            )
        },
    )


def _batches(store: ArtifactStore, manifest: Manifest) -> list[InputDataset]:
    """The batches in a version of rNN/label_batches that came from outside of the graph."""
    round_name, _, stage = manifest.key.partition("/")
    if stage != BATCHES:
        return []
    # What a machine annotator files follows from the selection, so it is no input from outside.
    index = json.loads((store.path(manifest.digest) / "index.json").read_text())
    source = manifest.config.get("source")
    outside = {PEOPLE: "o1-inbox", **({source: f"o1-labels-{source}"} if isinstance(source, str) else {})}
    return [
        InputDataset(
            namespace=outside.get(str(batch["source"]), f"o1-labels-{batch['source']}"),
            name=f"{round_name}/{batch['digest']}",
            facets=_version(str(batch["digest"]), None),
        )
        for batch in index["batches"]
        if batch["source"] in outside
    ]


def _version(digest: str, version: str | None) -> dict[str, Any]:
    facet = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=digest)
    if version is None:
        return {"version": facet}
    manifest: Any = DatasetFacet().with_additional_properties(version=version)
    return {"version": facet, "o1_manifest": manifest}


def _error(message: str, trace: str | None = None) -> Any:
    return error_message_run.ErrorMessageRunFacet(
        message=message, programmingLanguage="PYTHON", stackTrace=trace
    )


def _namespace() -> str:
    return os.environ.get("OPENLINEAGE_NAMESPACE", "o1-assets")


def _store(store: ArtifactStore) -> str:
    return f"file://{store.backend.root}" if store.backend.local else store.url
