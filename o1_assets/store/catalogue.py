"""The DuckDB catalogue: a view for each table of every artifact's newest version, and a table of all manifests.

The views read the store's own Parquet files, so the catalogue can be deleted and rebuilt at any time. It is written to
a new file under a unique name, which then replaces the old one in one step, so that nobody meets a writer's lock.

DuckDB keeps the whole path of each file, or it would look in the folder that somebody happens to be in. So the
catalogue of a home that was moved or copied reads the old one until it is rebuilt.
"""

from __future__ import annotations

import json
import os
import uuid
from fnmatch import fnmatch
from pathlib import Path

import polars as pl

from o1_assets.core.files import json_bytes, replace_file
from o1_assets.core.tables import column_names, duckdb_pattern
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore


def rebuild_catalogue(store: ArtifactStore, manifests: dict[str, Manifest], target: Path) -> list[str]:
    """Writes `target`; returns the views' names, such as "r03/labels.labels" for labels.parquet of r03/labels.

    manifests: key -> newest version. Query it with: duckdb catalogue.duckdb 'select * from artifacts'.
    """
    import duckdb  # half a second, which a run that only asks where the catalogue reads should not take

    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    views = []
    rows = [
        {
            "key": key,
            "digest": m.digest,
            "finished": m.finished,
            "seed": m.seed,
            "rows": m.rows,
            **m.cost.model_dump(),
        }
        for key, m in manifests.items()
    ]
    # A second process cannot even read a DuckDB file while one writes it, so it is written elsewhere.
    connection = duckdb.connect(str(temporary))
    try:
        connection.register("manifest_rows", pl.DataFrame(rows, infer_schema_length=None).to_arrow())
        connection.execute("create table artifacts as select * from manifest_rows")
        connection.unregister("manifest_rows")
        for key, manifest in manifests.items():
            files = [entry["path"] for entry in store.tree(manifest.digest)]
            if not any(fnmatch(path, "*.parquet") for path in files):
                continue  # a remote store need not fetch what no view shows
            folder = store.verified(manifest.digest)
            for file in sorted(folder.glob("*.parquet")):
                if not column_names(file):
                    continue  # a table of nothing, which DuckDB cannot show
                name = f"{key}.{file.stem}"
                path = duckdb_pattern(file).replace("'", "''")
                table = f"read_parquet('{path}', hive_partitioning = false)"
                connection.execute(f'create view "{name}" as select * from {table}')
                views.append(name)
        connection.close()
        os.replace(temporary, target)
        replace_file(_place_file(store), json_bytes(_place(store, target)))
    finally:
        connection.close()
        temporary.unlink(missing_ok=True)
    return views


def reads_this_home(store: ArtifactStore, target: Path) -> bool:
    """Whether the catalogue's views read this store and not the one that it was copied with."""
    try:
        return bool(json.loads(_place_file(store).read_bytes()) == _place(store, target))
    except (OSError, ValueError):
        return False


def _place(store: ArtifactStore, target: Path) -> list[str]:
    # The work folder too: there the views of a remote store read copies.
    return [str(target), store.backend.root, str(store.work)]


def _place_file(store: ArtifactStore) -> Path:
    # Beside the catalogue and not in it: opening it takes half a second, and every run asks.
    return store.work / "catalogue.json"
