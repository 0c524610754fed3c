"""Keeps Dagster's record of materializations equal to the store's manifests.

The store decides: a version exists once its manifest is written. A process that is killed right after that has told
Dagster nothing, and a store may be shared, restored or moved without its Dagster instance. So before a run Dagster is
told of every current version that it does not know. The data versions, input versions and staleness that it shows are
then those of the manifests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from o1_assets.core.artifact import Artifact
from o1_assets.orchestration.keys import asset_key
from o1_assets.orchestration.metadata import metadata_of
from o1_assets.store.digest import sha256_json
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

# The tags of an event in which Dagster's staleness looks for versions.
DATA_VERSION, CODE_VERSION = "dagster/data_version", "dagster/code_version"
INPUT_VERSION, INPUT_POINTER = "dagster/input_data_version/", "dagster/input_event_pointer/"


def _versions_of_inputs(manifest: Manifest, prefix: str, value: Callable[[str], str]) -> dict[str, str]:
    """A tag for each input, under the name by which Dagster looks for it."""
    return {
        f"{prefix}{asset_key(item.key).to_user_string()}": value(item.digest)
        for item in manifest.inputs.values()
    }


def dagster_code_version(code_version: str, config: Mapping[str, Any], seed: int) -> str:
    """The code version that Dagster is told."""
    # Dagster sees neither the configuration nor the seed, so they are part of what it takes for code.
    return sha256_json([code_version, config, seed])[:16]


def code_tags(manifest: Manifest) -> dict[str, str]:
    """The tag with the code version that a version was made by."""
    return {CODE_VERSION: dagster_code_version(manifest.code_version, manifest.config, manifest.seed)}


def expected_tags(manifest: Manifest) -> dict[str, str]:
    """The tags of Dagster's newest materialization of a key whose current version is `manifest`."""
    return {
        DATA_VERSION: manifest.digest,
        **code_tags(manifest),
        **_versions_of_inputs(manifest, INPUT_VERSION, str),
    }


def disagreement(manifest: Manifest, tags: Mapping[str, str]) -> str:
    """How Dagster's newest materialization differs from the manifest, as one clause; empty if it does not."""
    expected = expected_tags(manifest)
    recorded = {name: tags.get(name) for name in tags if name in expected or name.startswith(INPUT_VERSION)}
    odd = sorted(n for n in expected.keys() | recorded.keys() if expected.get(n) != recorded.get(n))
    return f"{manifest.key}: {', '.join(odd)}" if odd else ""


def report_unknown(
    instance: dg.DagsterInstance, graph: Mapping[str, Artifact], store: ArtifactStore
) -> list[str]:
    """Tells Dagster of the current versions that it does not know; returns their keys. Raises StoreError."""
    heads = store.read_heads(graph).manifests  # without damaged ones, which the run makes again
    known: dict[dg.AssetKey, Mapping[str, str]] = {}
    for record in instance.get_asset_records([asset_key(key) for key in heads]):
        materialization = record.asset_entry.last_materialization
        known[record.asset_entry.asset_key] = (materialization.tags or {}) if materialization else {}
    unknown = [key for key in heads if disagreement(heads[key], known.get(asset_key(key), {}))]
    for key in unknown:
        manifest = heads[key]
        # "NULL" is what Dagster writes itself where an input has no event in its log.
        pointers = _versions_of_inputs(manifest, INPUT_POINTER, lambda _: "NULL")
        instance.report_runless_asset_event(
            # A materialization and no observation: with the latter, tried on an external asset, it stays stale.
            dg.AssetMaterialization(
                asset_key(key),
                description="Found in the store: it was made where Dagster could not be told.",
                metadata=metadata_of(graph[key], store, manifest, "found"),
                tags={**expected_tags(manifest), **pointers},
            )
        )
    return unknown
