"""The store of a year of use, made up: 1,031 runs of nano's whole graph, 100,007 versions.

Everything but the last run is written as bytes: manifests as the store names them, each naming the versions of
its own run as inputs, a cache pointer and a small object a version. The last run is recorded by `materialize`,
with the selections, label batches and labels that it would have and other contents of nano's size, under the code
versions of today: `o1 status` finds all of it fresh.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.labelled_set import HUMAN, no_engine, records, solution
from o1_assets.cli.label_batches import submit
from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.files import json_bytes
from o1_assets.core.settings import Settings
from o1_assets.execution.environment import environment
from o1_assets.execution.materialize import materialize
from o1_assets.execution.project import Project
from o1_assets.graph import asked_for, build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.store.digest import TREE, tree_bytes, tree_digest
from o1_assets.store.manifest import Manifest, ManifestCost, ManifestInput
from o1_assets.store.store import ArtifactStore, ManifestPointer, cache_key

RUNS = 1031


SELECTED = 30
"""Solutions a round."""


CONTENT = 700_000
"""Bytes of every other object of the last run; a finished nano has 68 MB in 98 objects."""


def settings(folder: Path) -> Settings:
    return Settings.load("nano", folder / "home")


def prepare_home(folder: Path) -> None:
    home = settings(folder)
    every = build_graph(load_profile("nano", HUMAN), home)
    graph = {key: every[key] for key in every if key in asked_for(every)}
    old_runs(graph, Path(home.store))
    store = ArtifactStore(home.store, home.work)
    for key, artifact in graph.items():
        if key.endswith("/label_batches"):
            _submit(folder, home, key.split("/")[0], artifact)
        make_up(artifact, store)


def make_up(artifact: Artifact, store: ArtifactStore) -> None:
    """The artifact as `materialize` records it, with other content."""
    made = materialize(_made_up(artifact), store, profile="nano", open_engine=no_engine, threads=2)
    assert not made.cached


def old_runs(graph: dict[str, Artifact], root: Path, runs: int = RUNS - 1) -> None:
    """Runs before the last, over a year."""
    start = datetime.now(UTC) - timedelta(days=365)
    templates = {key: _template(artifact) for key, artifact in graph.items()}
    configs = {key: artifact.config.model_dump(mode="json") for key, artifact in graph.items()}
    for number in range(runs):
        made: dict[str, tuple[str, str]] = {}
        for offset, (key, artifact) in enumerate(graph.items()):
            moment = start + timedelta(days=number * 364 / (runs + 1), seconds=offset)
            code, content = f"{number:016x}", _text(key, number)
            digest = tree_digest(_tree(content))
            inputs = {name: made[parent] for name, parent in artifact.inputs.items()}
            digests = {name: found[0] for name, found in inputs.items()}
            found_by = cache_key(key, code, configs[key], artifact.seed, digests, None)
            text = templates[key]
            for name, (of_input, version) in inputs.items():
                text = text.replace(f"@digest of {name}@", of_input).replace(f"@version of {name}@", version)
            for name, value in (("digest", digest), ("key", found_by), ("code", code)):
                text = text.replace(f"@{name}@", value)
            manifest = text.replace("@finished@", moment.isoformat()).encode()
            version = f"{moment.strftime('%Y%m%dT%H%M%S.%fZ')}-{hashlib.sha256(manifest).hexdigest()}"
            _write(root / "manifests" / key / f"{version}.json", manifest)
            pointer = ManifestPointer(key, version).to_bytes()
            _write(root / "cache" / found_by[:2] / f"{found_by}.json", pointer)
            _object(root, content, digest)
            made[key] = (digest, version)


def _template(artifact: Artifact) -> str:
    """A manifest's file with names in the place of what differs between runs."""
    manifest = Manifest(
        key=artifact.key,
        digest="@digest@",
        cache_key="@key@",
        inputs={
            name: ManifestInput(key=key, digest=f"@digest of {name}@", version=f"@version of {name}@")
            for name, key in artifact.inputs.items()
        },
        external=None,
        code_version="@code@",
        config=artifact.config.model_dump(mode="json"),
        seed=artifact.seed,
        profile="nano",
        finished="@finished@",
        cost=ManifestCost(
            seconds=10.0, peak_rss_gib=1.0, flops=1e12, tokens_generated=0, tokens_scored=0, tokens_trained=0
        ),
        figures={f"figure_{n}": 1 / (n + 1) for n in range(10)},
        rows=1000,
        sample=[{"problem": "1 + 1 =", "answer": "2"}] * 3,
        environment=environment(2),
    )
    return json_bytes(manifest.model_dump(mode="json")).decode()


def _text(key: str, number: int) -> bytes:
    return f"{key} of run {number}\n".encode() * 8


def _tree(content: bytes) -> list[dict[str, Any]]:
    return [{"path": "text.txt", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}]


def _object(root: Path, content: bytes, digest: str) -> None:
    folder = root / "objects" / digest[:2] / digest
    _write(folder / "text.txt", content)
    _write(folder / TREE, tree_bytes(_tree(content)))


def _write(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(handle, content)
    os.close(handle)


def _made_up(artifact: Artifact) -> Artifact:
    """Other content under the same code version. Label batches and labels are made as they are."""
    stage = artifact.key.split("/")[-1]
    if stage in ("label_batches", "labels"):
        return artifact
    makers: dict[str, Callable[[Task, Any], Outcome]] = {"selection": _selection, "train": _problems}

    def compute(task: Task, config: Any) -> Outcome:
        made = makers.get(stage)
        if made is not None and artifact.key.startswith(("problems/", "r")):
            return made(task, config)
        content = hashlib.shake_256(artifact.key.encode()).hexdigest(CONTENT // 2)
        (task.out / "content.txt").write_text(content)
        return Outcome(figures={"figure": 0.5})

    # By the name of the real one, from which the code version follows.
    compute.__module__, compute.__qualname__ = artifact.compute.__module__, artifact.compute.__qualname__
    return dataclasses.replace(artifact, compute=compute)


def without_errors() -> list[int]:
    """Solutions without an error, which both protocols rate in the same way."""
    return [number for number in range(20 * SELECTED) if solution(number)[3][-1][0] >= 0][:SELECTED]


def _selection(task: Task, config: Any) -> Outcome:
    solutions, completions = [], []
    for number in without_errors():
        name, problem, steps, _ = solution(number)
        solutions.append((name, problem, [texts[0] for texts in steps], "2", False, 0.5))
        completions += [
            (name, problem, s, c, text) for s, texts in enumerate(steps) for c, text in enumerate(texts)
        ]
    columns = ["solution_id", "problem_id", "steps", "answer", "correct", "score"]
    pl.DataFrame(solutions, schema=columns, orient="row").write_parquet(task.out / "solutions.parquet")
    schema = {"solution_id": pl.String, "problem_id": pl.String, "step": pl.Int32, "completion": pl.Int32,
              "text": pl.String}  # fmt: skip
    pl.DataFrame(completions, schema=schema, orient="row").write_parquet(task.out / "completions.parquet")
    return Outcome()


def _problems(task: Task, config: Any) -> Outcome:
    names = sorted({solution(number)[1] for number in without_errors()})
    columns = {
        "problem_id": names,
        "question": [f"Question {name}?" for name in names],
        "answer": ["1"] * len(names),
    }
    pl.DataFrame(columns).write_parquet(task.out / "problems.parquet")
    return Outcome()


def _submit(folder: Path, home: Settings, round_name: str, artifact: Artifact) -> None:
    file = folder / f"{round_name}.jsonl"
    with file.open("w") as out:
        for record in _records(round_name):
            out.write(json.dumps(record) + "\n")
    report = submit(Project(home, HUMAN), file, round_name)
    assert report["accepted"] == SELECTED, report


def _records(round_name: str) -> Iterator[dict[str, Any]]:
    protocol = "dense" if round_name == "r00" else "sparse"
    for number in without_errors():
        for record in records(range(number, number + 1), "labeler"):
            yield {**record, "o1": {**record["o1"], "round": round_name, "protocol": protocol}}
