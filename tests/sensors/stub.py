"""The graph of nano with three rounds, real labels and two small files for everything else: a run takes a second."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.graph import asked_for
from o1_assets.labels.export import export_selection
from o1_assets.labels.inbox.inbox import SubmitReport
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection
from o1_assets.orchestration.definitions import build_definitions
from o1_assets.orchestration.keys import asset_key
from o1_assets.store.digest import TREE
from tests.labels import world

ROUNDS = 3
REPORT = "eval/report"


class Lab:
    """A store, an inbox and a Dagster instance with the sensor; `broken` are keys whose computation fails."""

    def __init__(self, home: Path, instance: dg.DagsterInstance, overrides: str = "") -> None:
        self.settings = Settings.load("nano", home)
        self.instance, self.broken = instance, set[str]()
        self.project = project = Project(self.settings, f"rounds={ROUNDS}\n{overrides}")
        self.profile, graph = project.profile, project.graph
        self.graph = {key: self._stub(graph[key]) for key in graph if key in asked_for(graph)}
        project.graph = self.graph
        self.store, self.inbox = project.store, project.inbox
        self.definitions = build_definitions(project)
        self.cursor: str | None = None
        self.labellers = 0
        self.events: list[Any] = []

    def _stub(self, artifact: Artifact) -> Artifact:
        stage = artifact.key.split("/")[1]
        real = artifact.compute if stage in ("label_batches", "labels") else None

        def compute(task: Task, config: Any) -> Outcome:
            if artifact.key in self.broken:
                raise RuntimeError(f"{artifact.key} is broken")
            if real is not None:
                return real(task, config)
            if stage in ("selection", "train"):
                folders = world.write_selection(task.out / "made")
                for file in folders[0 if stage == "selection" else 1].iterdir():
                    shutil.move(file, task.out)
                shutil.rmtree(task.out / "made")
            trees = [(folder / TREE).read_text() for folder in task.inputs.values()]
            (task.out / "text.txt").write_text("\n".join([artifact.key, *trees]))
            return Outcome()

        return dataclasses.replace(artifact, compute=compute, checks=artifact.checks if real else ())

    def tick(self) -> dg.RunRequest | str:
        """One tick as the daemon does it: the run it asks for, or why none; the cursor is kept."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.definitions
        )
        result = self.definitions.resolve_sensor_def("label_batches")(context)
        if isinstance(result, dg.SkipReason):
            return result.skip_message or ""
        assert isinstance(result, dg.SensorResult)
        self.cursor, self.events = result.cursor, list(result.asset_events)
        if not result.run_requests:
            assert result.skip_reason is not None
            return result.skip_reason.skip_message or ""
        (request,) = result.run_requests
        return request

    def run(self, request: dg.RunRequest | None = None) -> dict[str, bool]:
        """Executes what a tick asked for, or everything; made key -> whether it was computed."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=self.instance,
            asset_selection=request.asset_selection if request else None,
            tags=request.tags if request else None,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        self.success = result.success
        return {
            key_of(event.materialization.asset_key): event.materialization.metadata["cache"].value == "miss"
            for event in result.get_asset_materialization_events()
            if event.materialization and "cache" in event.materialization.metadata
        }

    def submit(
        self, round_name: str, solutions: Iterable[str] = ("right", "wrong", "direct")
    ) -> SubmitReport:
        """A new labeller finds the first step of each solution wrong."""
        self.labellers += 1
        return self.inbox.submit(
            self.file(round_name, solutions, f"labeller {self.labellers}"), *self.taking(round_name)
        )

    def file(self, round_name: str, solutions: Iterable[str], labeller: str) -> Path:
        selection, protocol = (
            self._selection(round_name),
            PROTOCOLS[self.graph[f"{round_name}/labels"].config.protocol],
        )
        records = [
            world.rated(record, {(0, 0): -1}, labeler=labeller, protocol=protocol)
            for record in export_selection(selection, round_name, protocol)
            if record.o1 and record.o1.solution_id in set(solutions)
        ]
        return world.write(self.settings.home / "sent.jsonl", records)

    def taking(self, round_name: str) -> tuple[str, Any]:
        protocol = PROTOCOLS[self.graph[f"{round_name}/labels"].config.protocol]
        return round_name, SelectionCheck(self._selection(round_name), round_name, protocol)

    def _selection(self, round_name: str) -> Selection:
        heads = [self.store.head(f"{round_name}/selection"), self.store.head("problems/train")]
        return Selection.load(*(self.store.path(head.digest) for head in heads if head))

    def follows(self, *rounds: str) -> set[str]:
        """The rounds' label batches and all that is made from them, by Dagster's own account of the graph."""
        keys = [asset_key(f"{name}/label_batches") for name in rounds]
        chosen = dg.AssetSelection.assets(*keys).downstream().resolve(self.definitions.resolve_asset_graph())
        return {key_of(key) for key in chosen}


def asked(request: dg.RunRequest | str) -> set[str]:
    assert isinstance(request, dg.RunRequest), request
    assert request.asset_selection is not None
    return {key_of(key) for key in request.asset_selection}


def key_of(key: dg.AssetKey) -> str:
    """The artifact's key; here all have two parts."""
    return key.to_user_string().replace("_", "/", 1)


def quiet_report(patch: pytest.MonkeyPatch) -> None:
    """Nothing here is worth a report."""
    patch.setattr("o1_assets.orchestration.assets.write_report", lambda project: {})
