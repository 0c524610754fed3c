"""`python -m benchmarks.event_log_of_a_year`: Dagster's event log after 1,031 runs, 100,007 materializations.

Says how long the UI takes to open on it and to answer what its pages ask, and what `o1 gc` makes of it. One run of
nano's graph is real, with empty computations and a picture of 10 kB each; the others are its rows again under
their own run ids, a third of a day apart. Takes some minutes and 4 GB under TMPDIR.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.settings import Settings

RUNS = 1031


PORT = 3917


QUESTIONS = {
    "assets": "{ assetNodes { id staleStatus assetMaterializations(limit: 1) { runId timestamp } } }",
    "runs": "{ runsOrError(limit: 25) { ... on Runs { results { id status tags { key value } } } } }",
    "history of r10/policy": '{ assetOrError(assetKey: {path: ["r10", "policy"]}) { ... on Asset '
    "{ assetMaterializations(limit: 100) { runId timestamp metadataEntries { label } } } } }",
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = Settings.load("nano", folder)
        seconds = time.perf_counter()
        first = one_run(settings)
        copies(settings.home / "dagster", first)
        print(f"made in {time.perf_counter() - seconds:.0f} s: {gigabytes(settings.home / 'dagster'):.2f} GB")
        for when in ("before gc", "after gc"):
            for question, took in ui(settings):
                print(f"{when}: {question} {took:.2f} s")
            if when == "before gc":
                seconds = time.perf_counter()
                runs = collect(settings)
                print(f"gc: {runs} runs removed in {time.perf_counter() - seconds:.0f} s")
                print(f"left: {gigabytes(settings.home / 'dagster'):.2f} GB")


def one_run(settings: Settings) -> str:
    """Materializes nano's graph with empty computations; the run's id."""
    import dagster as dg

    from o1_assets.execution.project import Project
    from o1_assets.graph import asked_for
    from o1_assets.orchestration.definitions import build_definitions
    from o1_assets.orchestration.instance import open_instance

    project = Project(settings, "")
    every = project.graph
    project.graph = graph = {key: _empty(every[key]) for key in every if key in asked_for(every)}
    job = build_definitions(project).resolve_implicit_global_asset_job_def()
    with open_instance(settings) as instance:
        keys = [dg.AssetKey(key.split("/")) for key in graph]
        result = job.execute_in_process(instance=instance, asset_selection=keys)
        assert result.success
        return result.run_id


def _empty(artifact: Artifact) -> Artifact:
    def compute(task: Task, config: Any) -> Outcome:
        (task.out / "plots").mkdir()
        picture = b"\x89PNG\r\n\x1a\n" + artifact.key.encode() * (10_000 // len(artifact.key))
        (task.out / "plots" / "curve.png").write_bytes(picture)
        return Outcome(
            figures={f"figure_{n}": n for n in range(10)}, sample=[{"problem": "1 + 1 =", "answer": "2"}]
        )

    # By the name of the real one, from which the code version follows.
    compute.__module__, compute.__qualname__ = artifact.compute.__module__, artifact.compute.__qualname__
    return dataclasses.replace(artifact, compute=compute, external=None, checks=())


def copies(home: Path, first: str) -> None:
    """The first run again and again, earlier and earlier, under new ids."""
    shards = home / "history" / "runs"
    ids = [str(uuid.uuid4()) for _ in range(RUNS - 1)]
    with closing(sqlite3.connect(shards / f"{first}.db")) as shard:
        shard.execute("pragma wal_checkpoint(truncate)")
    for run_id in ids:
        shutil.copyfile(shards / f"{first}.db", shards / f"{run_id}.db")
        with closing(sqlite3.connect(shards / f"{run_id}.db")) as shard:
            shard.execute("pragma synchronous=off")
            shard.execute(
                "update event_logs set run_id=?, event=replace(event, ?, ?)", (run_id, first, run_id)
            )
            shard.commit()
    with closing(sqlite3.connect(shards / "index.db")) as index:
        index.execute("pragma synchronous=off")
        _copy_events(index, first, ids)
    with closing(sqlite3.connect(home / "history" / "runs.db")) as runs:
        _copy_runs(runs, first, ids)


def _copy_events(index: sqlite3.Connection, first: str, ids: list[str]) -> None:
    """The real run's rows get the highest numbers: its events are the newest of every asset."""
    rows = index.execute("select * from event_logs where run_id=? order by id", (first,)).fetchall()
    tags = index.execute("select * from asset_event_tags").fetchall()
    columns = [row[1] for row in index.execute("pragma table_info(event_logs)")]
    event, run = columns.index("event"), columns.index("run_id")
    step = max(row[0] for row in rows)
    shift = step * len(ids)
    index.execute("update event_logs set id = id + ? where run_id=?", (shift, first))
    index.execute("update asset_event_tags set event_id = event_id + ?, id = id + ?", (shift, shift * 10))
    index.execute(
        "update asset_keys set last_materialization = replace(last_materialization, "
        "'\"storage_id\": ' || json_extract(last_materialization, '$.storage_id'), "
        "'\"storage_id\": ' || (json_extract(last_materialization, '$.storage_id') + ?))",
        (shift,),
    )
    places = ", ".join("?" * len(columns))
    for number, run_id in enumerate(ids):
        copied = []
        for row in rows:
            new = list(row)
            new[0], new[run] = row[0] + step * number, run_id
            new[event] = row[event].replace(first, run_id)
            copied.append(new)
        index.executemany(f"insert into event_logs values ({places})", copied)
        index.executemany(
            "insert into asset_event_tags (event_id, asset_key, key, value, event_timestamp) values (?, ?, ?, ?, ?)",
            [(row[1] + step * number, *row[2:]) for row in tags],
        )
    index.commit()


def _copy_runs(runs: sqlite3.Connection, first: str, ids: list[str]) -> None:
    columns = [row[1] for row in runs.execute("pragma table_info(runs)")]
    (row,) = runs.execute("select * from runs where run_id=?", (first,)).fetchall()
    body, created = columns.index("run_body"), columns.index("create_timestamp")
    runs.execute("update runs set id = ? where run_id=?", (RUNS, first))
    places = ", ".join("?" * len(columns))
    for number, run_id in enumerate(ids):
        new = list(row)
        new[0], new[columns.index("run_id")] = number + 1, run_id
        new[body] = row[body].replace(first, run_id)
        moment = time.gmtime(time.time() - (len(ids) - number) * 365 * 86400 / RUNS)
        new[created] = time.strftime("%Y-%m-%d %H:%M:%S.000000", moment)
        runs.execute(f"insert into runs values ({places})", new)
    runs.commit()


def ui(settings: Settings) -> list[tuple[str, float]]:
    """Seconds until the webserver answers at all, then for what its pages ask."""
    environment = {
        **os.environ,
        "O1_HOME": str(settings.home.parent),
        "DAGSTER_HOME": str(settings.home / "dagster"),
    }
    command = [str(Path(sys.executable).with_name("dagster-webserver")), "-m", "o1_assets.definitions",
               "-h", "127.0.0.1", "-p", str(PORT)]  # fmt: skip
    started = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{PORT}/server_info").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.2)
            took = [("opens in", time.perf_counter() - started)]
            for name, question in QUESTIONS.items():
                started = time.perf_counter()
                answer = httpx.post(f"http://127.0.0.1:{PORT}/graphql", json={"query": question}, timeout=300)
                assert "errors" not in answer.raise_for_status().json(), answer.text[:500]
                took.append((name, time.perf_counter() - started))
        finally:
            server.terminate()
    return took


def collect(settings: Settings) -> int:
    from o1_assets.cli.gc import collect
    from o1_assets.execution.project import Project

    runs = collect(Project(settings), yes=True).runs
    assert runs is not None
    return len(runs.ids)


def gigabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


if __name__ == "__main__":
    main()
