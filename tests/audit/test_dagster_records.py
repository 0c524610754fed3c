"""What Dagster says of an artifact is what the store's manifests say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest

from o1_assets.core.artifact import Artifact
from o1_assets.orchestration.keys import asset_key
from o1_assets.orchestration.records import disagreement, report_unknown
from tests.audit.toy_dagster import run_toy, toy_store
from tests.execution.toy import make, toy_graph


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as made:
        yield made


def disagreements(instance: dg.DagsterInstance, home: Path, graph: Mapping[str, Artifact]) -> list[str]:
    found = []
    for key in graph:
        head, event = toy_store(home).head(key), instance.get_latest_materialization_event(asset_key(key))
        assert head is not None
        if event is None or event.asset_materialization is None:
            found.append(f"{key}: unknown")
        elif said := disagreement(head, event.asset_materialization.tags or {}):
            found.append(said)
    return found


def test_they_agree_after_a_run_a_cached_one_and_going_back(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    for graph in (toy_graph(), toy_graph(), toy_graph(suffix="!"), toy_graph(), toy_graph(seed=1)):
        assert run_toy(tmp_path, graph, instance).success
        assert disagreements(instance, tmp_path, graph) == []


def test_what_was_made_where_dagster_could_not_be_told_is_told_before_the_next_run(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """As after a kill between the manifest and Dagster's event: the next run does not make it again."""
    assert run_toy(tmp_path, toy_graph(), instance).success
    changed = toy_graph(count=5)
    make(toy_store(tmp_path), changed["toy/letters"])
    rest = ["toy/upper", "toy/both"]
    assert run_toy(tmp_path, changed, instance, rest, told=False).success
    said = disagreements(instance, tmp_path, changed)
    assert any("toy/letters" in line and "data_version" in line for line in said), "nothing to mend"
    assert any("toy/upper: dagster/input_data_version/toy_letters" in line for line in said)

    assert run_toy(tmp_path, changed, instance, rest).success
    assert disagreements(instance, tmp_path, changed) == []
    assert report_unknown(instance, changed, toy_store(tmp_path)) == []


def test_what_was_found_in_the_store_shows_its_figures_too(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    graph = toy_graph()
    manifest = make(toy_store(tmp_path), graph["toy/letters"]).manifest
    assert report_unknown(instance, graph, toy_store(tmp_path)) == ["toy/letters"]
    event = instance.get_latest_materialization_event(asset_key("toy/letters"))
    assert event is not None and event.asset_materialization is not None
    shown = event.asset_materialization.metadata
    assert manifest.figures and {name: shown[name].value for name in manifest.figures} == manifest.figures
    assert shown["cache"].value == "found"


def test_the_materialization_names_its_manifest_and_those_of_its_inputs(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    assert run_toy(tmp_path, toy_graph(), instance).success
    event = instance.get_latest_materialization_event(asset_key("toy/upper"))
    head = toy_store(tmp_path).head("toy/upper")
    assert event is not None and event.asset_materialization is not None and head is not None
    metadata = event.asset_materialization.metadata
    assert metadata["manifest"].value == head.version and metadata["digest"].value == head.digest
    [row] = [record.data for record in metadata["inputs"].records]
    assert len(row["version"]) > 20 and head.inputs["letters"].version.startswith(row["version"])
