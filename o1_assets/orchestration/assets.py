"""Shows the graph's artifacts to Dagster: a software-defined asset for each, with its figures, plots and checks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from o1_assets.core.artifact import Artifact, Check, CheckContext, Finding, Waiting
from o1_assets.core.commands import with_profile
from o1_assets.core.errors import O1Error
from o1_assets.execution.code_version import code_version
from o1_assets.execution.environment import head_commit, place_of, source_url
from o1_assets.execution.materialize import Made, materialize
from o1_assets.execution.progress import watcher
from o1_assets.execution.project import Project
from o1_assets.orchestration.devices import leased
from o1_assets.orchestration.keys import asset_key
from o1_assets.orchestration.launch import make_in_processes
from o1_assets.orchestration.lineage import Parent
from o1_assets.orchestration.lineage.observer import Lineage
from o1_assets.orchestration.live import live_curve
from o1_assets.orchestration.metadata import metadata_of
from o1_assets.orchestration.records import code_tags, dagster_code_version
from o1_assets.orchestration.story import PAGES, chapter, describe, group_of, page_of
from o1_assets.report.write import write_report
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore
from resources.compute import placement
from resources.engine import EngineResource
from resources.numbers import NumbersResource
from resources.store import StoreResource

OWNERS = ["team:research"]


def to_asset(
    artifact: Artifact, project: Project, numbered: Mapping[str, str], *, pictures: bool = False
) -> dg.AssetsDefinition:
    """The artifact as a Dagster asset. Its body looks the computation up in the store before it computes anything.

    numbered: the groups of the UI (`story.chapters`). pictures: whether descriptions show plots, which `o1 ui` serves.

    A body that waits for people yields warnings and no asset. Dagster then skips what depends on it, the run succeeds,
    and the asset says in the UI what it waits for.
    """
    profile = project.profile
    # Dagster never skips inside a run, so a run selects all that may have changed and the cache decides in the body:
    # one run for each wave of stale artifacts took 76 s for 31 trivial artifacts, this takes 7 s.
    place = placement(artifact.resource_class, profile)
    spec = dg.AssetSpec(
        key=asset_key(artifact.key),
        deps=[asset_key(key) for key in dict.fromkeys(artifact.inputs.values())],
        description=describe(
            artifact.key,
            artifact.description,
            page_of(artifact),
            artifact.inputs.values(),
            pictures=pictures,
        ),
        group_name=group_of(artifact, numbered),
        kinds=set(artifact.kinds),
        owners=OWNERS,
        tags={
            **artifact.tags,
            "o1/profile": profile.name,
            "o1/part": artifact.part or "loop",
            "o1/chapter": chapter(artifact),
        },
        # Without a version Dagster takes each run for new code.
        code_version=dagster_code_version(
            code_version(artifact.compute, artifact.unused),
            artifact.config.model_dump(mode="json"),
            artifact.seed,
        ),
        skippable=True,  # a body that waits for people yields no asset
        metadata=_code_reference(artifact),
    )

    key = artifact.key

    @dg.multi_asset(
        specs=[spec],
        check_specs=_check_specs(artifact, spec.key),
        name=artifact.key.replace("/", "__"),
        op_tags=dict(place.op_tags),
        pool=place.pool,
    )
    def body(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        engine: EngineResource,
        numbers: NumbersResource,
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        opened, watch = store.open(), watcher()
        meant = project.changed(numbers.assignments())
        artifact = _with_other_numbers(meant, key)

        def progress(line: str) -> None:
            context.log.info(line)
            if watch:
                watch.line(artifact.key, line)

        if watch:
            watch.started(artifact.key)
        lineage = Lineage.start(artifact, profile.name, Parent(context.run_id, context.job_name), opened)
        try:
            made = _make(context, artifact, meant, opened, engine, progress)
        except Waiting as waiting:
            context.log.warning(with_profile(str(waiting)))
            if watch:
                watch.waits(artifact.key, str(waiting))
            lineage.waits(str(waiting))
            yield from _waiting_results(artifact, spec.key, waiting)
            return
        except BaseException as error:  # an interrupted run ends its lineage as well
            lineage.failed(error)
            if watch:
                watch.failed(artifact.key, str(error) or type(error).__name__)
            raise
        lineage.completed(made.manifest, made.cached)
        if watch:
            watch.made(artifact.key, made.manifest, made.cached)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(made.manifest.digest),
            # A run with numbers of its own makes what the profile does not describe: Dagster shows it as stale.
            tags=code_tags(made.manifest),
            metadata=metadata_of(artifact, opened, made.manifest, "hit" if made.cached else "miss"),
        )
        yield from _findings(artifact, spec.key, made.manifest, opened.path(made.manifest.digest))

    return body


class UnknownHere(O1Error):
    """The numbers of a run ask for another graph than the one that the UI shows."""


def _with_other_numbers(project: Project, key: str) -> Artifact:
    if key not in project.graph:
        raise UnknownHere(
            f"with these numbers there is no {key}; a run cannot change which artifacts there are, start the UI with "
            "--set instead"
        )
    return project.graph[key]


def _make(
    context: dg.AssetExecutionContext,
    artifact: Artifact,
    project: Project,
    store: ArtifactStore,
    engine: EngineResource,
    progress: Callable[[str], None],
) -> Made:
    """Makes the artifact, in this process or in several, on as many of this machine's GPUs as its class names."""
    profile = project.profile
    resources = profile.classes.of(artifact.resource_class)
    # On Ray and Kubernetes the cluster hands the GPUs out.
    gpus = resources.gpus if profile.executor == "processes" else 0
    with leased(gpus, on_wait=lambda: progress("waits for a GPU")):
        if artifact.launches and resources.processes > 1:
            return make_in_processes(context, artifact, store, resources.processes, project.overrides)
        return materialize(
            artifact,
            store,
            profile=profile.name,
            open_engine=engine.open,
            threads=profile.threads,
            engine=engine.name,
            progress=progress,
            on_update=live_curve(artifact.key, context.log_event),
        )


def report_asset(project: Project, numbered: Mapping[str, str]) -> dg.AssetsDefinition:
    """eval/report: the HTML page. It is not in the store, because it says how long things took: no two are equal."""

    @dg.asset(
        key=asset_key("eval/report"),
        deps=[asset_key("eval/summary")],
        group_name=numbered.get("eval", "eval"),
        kinds={"html"},
        owners=OWNERS,
        tags={"o1/part": "loop", "o1/chapter": "eval"},
        description=describe(
            "eval/report",
            "One self-contained page: headline, curves, solutions to read, and what everything cost.",
            PAGES["eval/report"],
            ["eval/summary"],
        ),
    )
    def report() -> dg.MaterializeResult[Any]:
        headline = write_report(project)
        figures = {name: row["value"] for name, row in headline.items() if row["value"] is not None}
        return dg.MaterializeResult(
            metadata={"report": dg.MetadataValue.path(str(project.settings.report)), **figures}
        )

    return report


def _code_reference(artifact: Artifact) -> dict[str, Any]:
    """The source that the UI's "open in editor" opens: the compute function, not the body that all assets share."""
    place, name = place_of(artifact.compute), artifact.compute.__name__
    references: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = [
        dg.LocalFileCodeReference(file_path=place.file, line_number=place.line, label=name)
    ]
    if url := source_url(place, head_commit()):
        references.append(dg.UrlCodeReference(url=url, label=f"{name} on the git host"))
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=references)}


# What is expected of artifacts, as asset checks.


def _own_checks(artifact: Artifact) -> list[Check]:
    """The checks that read nothing but the artifact."""
    # They run in its body: a step of their own takes longer than they do.
    return [check for check in artifact.checks if not check.beside]


def _check_specs(artifact: Artifact, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(c.name, asset=key, description=c.description) for c in _own_checks(artifact)]


def _findings(
    artifact: Artifact, key: dg.AssetKey, manifest: Manifest, folder: Path
) -> Iterator[dg.AssetCheckResult]:
    """The results of the artifact's own checks on this version of it."""
    for check in _own_checks(artifact):
        yield _result(artifact, key, check, check.run(CheckContext(folder, manifest.figures)))


def _waiting_results(artifact: Artifact, key: dg.AssetKey, waiting: Waiting) -> Iterator[dg.AssetCheckResult]:
    """The checks of an artifact that waits for people, as warnings: nothing is broken."""
    for check in _own_checks(artifact):
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=check.name,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=with_profile(str(waiting)),
            metadata={**waiting.figures, "waits": True},
        )


def checks_beside(artifacts: Iterable[Artifact]) -> list[dg.AssetChecksDefinition]:
    """The checks that read other artifacts too. Each is a step of its own, which runs after all of them."""
    return [_beside(artifact, check) for artifact in artifacts for check in artifact.checks if check.beside]


def _beside(artifact: Artifact, check: Check) -> dg.AssetChecksDefinition:
    key = asset_key(artifact.key)

    @dg.asset_check(
        asset=key,
        name=check.name,
        description=check.description,
        additional_deps=[asset_key(other) for other in check.beside],
    )
    def body(store: StoreResource) -> dg.AssetCheckResult:
        opened = store.open()
        heads = {name: opened.head(name) for name in (artifact.key, *check.beside)}
        folders = {name: opened.verified(head.digest) for name, head in heads.items() if head}
        made = heads[artifact.key]
        if made is None or len(folders) < len(heads):
            missing = ", ".join(name for name, head in heads.items() if head is None)
            return _result(artifact, key, check, Finding(False, f"{missing} was never made"))
        context = CheckContext(folders.pop(artifact.key), made.figures, folders)
        return _result(artifact, key, check, check.run(context))

    return body


def _result(artifact: Artifact, key: dg.AssetKey, check: Check, finding: Finding) -> dg.AssetCheckResult:
    watch = watcher()
    if watch and not finding.passed:
        watch.check_failed(artifact.key, check.name, finding.message)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.ERROR if check.serious else dg.AssetCheckSeverity.WARN,
        description=with_profile(finding.message),
        metadata=dict(finding.figures),
    )
