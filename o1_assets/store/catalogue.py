"""The DuckDB catalogue: one view a table of every artifact's newest version, and one of all manifests.

Views only, over the store's own Parquet files: it can be deleted and rebuilt at any time. It is written to
a new file that replaces the old one in one step, so that a reader never meets a writer's lock.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import polars as pl

from o1_assets.files import replace_file
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore


def rebuild_catalogue(store: ArtifactStore, manifests: dict[str, Manifest], target: Path) -> list[str]:
    """Writes `target`; returns the views' names, such as "r03/labels.labels" for labels.parquet of r03/labels.

    manifests: key -> newest version. Query it with: duckdb catalogue.duckdb 'select * from artifacts'.
    """
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
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".catalogue-", dir=target.parent) as folder:
        made = Path(folder) / target.name
        with duckdb.connect(str(made)) as connection:
            table = pl.DataFrame(rows, infer_schema_length=None)
            connection.register("manifest_rows", table.to_arrow())
            connection.execute("create table artifacts as select * from manifest_rows")
            connection.unregister("manifest_rows")
            for key, manifest in manifests.items():
                for file in sorted(store.path(manifest.digest).glob("*.parquet")):
                    name = f"{key}.{file.stem}"
                    path = str(file).replace("'", "''")
                    connection.execute(f"create view \"{name}\" as select * from read_parquet('{path}')")
                    views.append(name)
        replace_file(target, made.read_bytes())
    return views
