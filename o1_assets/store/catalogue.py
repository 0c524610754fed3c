"""The DuckDB catalogue: a view for each table of every artifact's newest version, and a table of all manifests.

The views read the store's own Parquet files, so the catalogue can be deleted and rebuilt at any time. It is written to
a new file under a unique name, which then replaces the old one in one step, so that nobody meets a writer's lock.
"""

from __future__ import annotations

import os
import uuid
from fnmatch import fnmatch
from pathlib import Path

import duckdb
import polars as pl

from o1_assets.core.tables import column_names, duckdb_pattern
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore


def rebuild_catalogue(store: ArtifactStore, manifests: dict[str, Manifest], target: Path) -> list[str]:
    """Writes `target`; returns the views' names, such as "r03/labels.labels" for labels.parquet of r03/labels.

    manifests: key -> newest version. Query it with: duckdb catalogue.duckdb 'select * from artifacts'.
    """
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
    finally:
        connection.close()
        temporary.unlink(missing_ok=True)
    return views
