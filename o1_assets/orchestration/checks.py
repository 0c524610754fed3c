"""Shows what is expected of artifacts to Dagster as asset checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg

from o1_assets.core.artifact import Artifact, Check, CheckContext, Finding, Waiting
from o1_assets.execution.progress import watcher
from o1_assets.store.manifest import Manifest
from resources.store import StoreResource


def own_checks(artifact: Artifact) -> list[Check]:
    """Those that need nothing beside the artifact. They run in its body, because a step of their own costs more."""
    return [check for check in artifact.checks if not check.beside]


def check_specs(artifact: Artifact, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(c.name, asset=key, description=c.description) for c in own_checks(artifact)]


def findings(
    artifact: Artifact, key: dg.AssetKey, manifest: Manifest, folder: Path
) -> Iterator[dg.AssetCheckResult]:
    """The results of the artifact's own checks on this version of it."""
    for check in own_checks(artifact):
        yield _result(artifact, key, check, check.run(CheckContext(folder, manifest.figures)))


def waits(artifact: Artifact, key: dg.AssetKey, waiting: Waiting) -> Iterator[dg.AssetCheckResult]:
    """An artifact that waits for people has warnings in the UI instead of an error: nothing is broken."""
    for check in own_checks(artifact):
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=check.name,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=str(waiting),
            metadata={**waiting.figures, "waits": True},
        )


def checks_beside(artifacts: Iterable[Artifact]) -> list[dg.AssetChecksDefinition]:
    """A step for each check that needs other artifacts too."""
    return [_beside(artifact, check) for artifact in artifacts for check in artifact.checks if check.beside]


def _beside(artifact: Artifact, check: Check) -> dg.AssetChecksDefinition:
    key = dg.AssetKey(artifact.key.split("/"))

    @dg.asset_check(
        asset=key,
        name=check.name,
        description=check.description,
        additional_deps=[dg.AssetKey(other.split("/")) for other in check.beside],
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


def _result(artifact: Artifact, key: dg.AssetKey, check: Check, found: Finding) -> dg.AssetCheckResult:
    watch = watcher()
    if watch and not found.passed:
        watch.check_failed(artifact.key, check.name, found.message)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=found.passed,
        severity=dg.AssetCheckSeverity.ERROR if check.serious else dg.AssetCheckSeverity.WARN,
        description=found.message,
        metadata=dict(found.figures),
    )
