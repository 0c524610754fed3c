"""What Dagster shows of one version of an artifact: figures, plots, rows, its model card, what it came from."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from o1_assets.core.artifact import Artifact
from o1_assets.execution.environment import place_of, source_url
from o1_assets.export.model_card import is_checkpoint, read_card, without_lineage
from o1_assets.orchestration.story import figures_first, page_of
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore


def metadata_of(
    artifact: Artifact, store: ArtifactStore, manifest: Manifest, cache: Literal["hit", "miss", "found"]
) -> dict[str, Any]:
    """What the UI lists of a version, in this order: its figures, plots and rows first, book-keeping last.

    cache: whether the version was computed now ("miss"), found by a run, or made where Dagster could not be told.
    """
    folder = store.path(manifest.digest)
    metadata: dict[str, Any] = {
        name: manifest.figures[name]
        for name in figures_first(manifest.figures, page_of(artifact))
        if manifest.figures[name] is not None
    }
    # As data inside of Markdown: the UI strips inline SVG and serves no files. The event log holds every picture, so
    # they have to stay small.
    for plot in sorted((folder / "plots").glob("*.png")):
        image = base64.b64encode(plot.read_bytes()).decode()
        metadata[plot.stem] = dg.MetadataValue.md(f"![{plot.stem}](data:image/png;base64,{image})")
    if manifest.sample:
        # Dagster wants the same fields in every record of a table, and the rows of a sample may lack some.
        columns = dict.fromkeys(name for row in manifest.sample for name in row)
        records = [{name: _cell(row.get(name)) for name in columns} for row in manifest.sample]
        metadata["sample"] = dg.MetadataValue.table([dg.TableRecord(record) for record in records])
    if is_checkpoint(store, manifest):
        metadata["model_card"] = dg.MetadataValue.md(_card(store, manifest))
    if manifest.rows is not None:
        metadata["dagster/row_count"] = manifest.rows
    return metadata | _bookkeeping(artifact, folder, manifest, cache)


def _bookkeeping(artifact: Artifact, folder: Path, manifest: Manifest, cache: str) -> dict[str, Any]:
    """What the version cost and was made of."""
    metadata: dict[str, Any] = {"seconds": manifest.cost.seconds}
    if manifest.cost.flops:
        metadata["flops"] = manifest.cost.flops
    if manifest.inputs:
        # Beginnings, with which `o1 audit --version` is content: the UI breaks no line, and cuts long ones off.
        rows = [
            dg.TableRecord(
                {"input": name, "key": item.key, "digest": item.digest[:12], "version": item.version[:32]}
            )
            for name, item in manifest.inputs.items()
        ]
        metadata["inputs"] = dg.MetadataValue.table(rows)
    metadata |= {
        "cache": cache,
        "seed": manifest.seed,
        "code_version": manifest.code_version,
        "digest": manifest.digest,
        "manifest": manifest.version,
        "dagster/uri": str(folder),
    }
    commit, dirty = manifest.environment.git_commit, manifest.environment.git_dirty
    if commit:
        metadata["commit"] = f"{commit}{' with local changes' if dirty else ''}"
        if url := source_url(place_of(artifact.compute), commit):
            metadata["code"] = dg.MetadataValue.url(url)
    return metadata


def _card(store: ArtifactStore, manifest: Manifest) -> str:
    """The model card, written to the store where it is missing."""
    try:
        return without_lineage(read_card(store, manifest.key, manifest.version))
    except Exception as error:  # it says nothing that the manifest does not, so it fails no step
        return f"No model card could be written: {error}"


def _cell(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
