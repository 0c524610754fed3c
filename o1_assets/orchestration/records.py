"""Dagster's own record of what was made, kept equal to the store's.

The store is what counts: a version is made when its manifest is written. A process that is killed right after
that has told Dagster nothing; a store may be shared, restored or moved without its Dagster instance. Before a
run, Dagster is told of every version of today that it does not know, so that the data versions, input versions
and staleness that it shows are those of the manifests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from o1_assets.core.artifact import Artifact
from o1_assets.store.digest import sha256_json
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

DATA_VERSION, CODE_VERSION = "dagster/data_version", "dagster/code_version"
INPUT_VERSION, INPUT_POINTER = "dagster/input_data_version/", "dagster/input_event_pointer/"


def asset_key(key: str) -> dg.AssetKey:
    return dg.AssetKey(key.split("/"))


def dagster_code_version(code_version: str, config: Mapping[str, Any], seed: int) -> str:
    """Dagster sees neither the configuration nor the seed, so they are part of what it takes for code."""
    return sha256_json([code_version, config, seed])[:16]


def expected_tags(manifest: Manifest) -> dict[str, str]:
    """What Dagster's newest materialization of a key has to say when `manifest` is its version of today."""
    return {
        DATA_VERSION: manifest.digest,
        CODE_VERSION: dagster_code_version(manifest.code_version, manifest.config, manifest.seed),
        **{f"{INPUT_VERSION}{item.key}": item.digest for item in manifest.inputs.values()},
    }


def disagreement(manifest: Manifest, tags: Mapping[str, str]) -> str:
    """In what Dagster's newest materialization differs from the manifest, as one clause; empty when in nothing."""
    expected = expected_tags(manifest)
    recorded = {name: tags.get(name) for name in tags if name in expected or name.startswith(INPUT_VERSION)}
    odd = sorted(n for n in expected.keys() | recorded.keys() if expected.get(n) != recorded.get(n))
    return f"{manifest.key}: {', '.join(odd)}" if odd else ""


def report_unknown(
    instance: dg.DagsterInstance, graph: Mapping[str, Artifact], store: ArtifactStore
) -> list[str]:
    """Tells Dagster of the versions of today that it does not know; returns their keys. Raises StoreError."""
    heads = {key: head for key in graph if (head := store.head(key)) is not None}
    known: dict[dg.AssetKey, Mapping[str, str]] = {}
    for record in instance.get_asset_records([asset_key(key) for key in heads]):
        materialization = record.asset_entry.last_materialization
        known[record.asset_entry.asset_key] = (materialization.tags or {}) if materialization else {}
    unknown = [key for key in heads if disagreement(heads[key], known.get(asset_key(key), {}))]
    for key in unknown:
        manifest = heads[key]
        pointers = {f"{INPUT_POINTER}{item.key}": "NULL" for item in manifest.inputs.values()}
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key(key),
                description="Found in the store: it was made where Dagster could not be told.",
                metadata={"digest": manifest.digest, "manifest": manifest.version, "cache": "found"},
                tags={**expected_tags(manifest), **pointers},
            )
        )
    return unknown
