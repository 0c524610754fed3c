from __future__ import annotations

import os

import pytest

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.execution.status import graph_status
from o1_assets.graph import descendants
from o1_assets.store.digest import TREE
from o1_assets.store.objects import object_name
from o1_assets.store.store import ArtifactStore, MissingInput
from tests.execution.toy import LettersConfig, make, make_all, toy_graph


def states(store: ArtifactStore, graph: dict[str, Artifact]) -> dict[str, str]:
    return {key: s.state for key, s in graph_status(graph, store).items()}


def test_a_second_time_nothing_is_computed(store: ArtifactStore) -> None:
    assert not any(made.cached for made in make_all(store, toy_graph()).values())
    assert all(made.cached for made in make_all(store, toy_graph()).values())
    assert set(states(store, toy_graph()).values()) == {"fresh"}


def test_changing_one_number_makes_exactly_its_descendants_stale(store: ArtifactStore) -> None:
    make_all(store, toy_graph())
    assert states(store, toy_graph(suffix="!")) == {
        "toy/letters": "fresh", "toy/upper": "stale", "toy/both": "stale",
    }  # fmt: skip
    status = graph_status(toy_graph(suffix="!"), store)
    assert status["toy/upper"].reason == "the profile's suffix changed"
    made = make_all(store, toy_graph(suffix="!"))
    assert [made[key].cached for key in made] == [True, False, False]


def test_equal_bytes_upstream_cut_off_what_follows(store: ArtifactStore) -> None:
    make_all(store, toy_graph(seed=0))
    made = make_all(store, toy_graph(seed=1))  # letters ignores its seed: same bytes, new computation
    assert [made[key].cached for key in made] == [False, True, True]


def test_a_missing_input_is_named(store: ArtifactStore) -> None:
    with pytest.raises(MissingInput, match="toy/upper needs toy/letters"):
        make(store, toy_graph()["toy/upper"])


def fails(task: Task, config: LettersConfig) -> Outcome:
    (task.out / "half.txt").write_text("half")
    raise RuntimeError("killed in the middle")


def test_a_failed_computation_leaves_nothing_behind(store: ArtifactStore) -> None:
    artifact = Artifact("toy/fails", fails, LettersConfig(), {}, "fails", "toy")
    with pytest.raises(RuntimeError, match="killed"):
        make(store, artifact)
    assert store.head("toy/fails") is None
    assert list((store.work / "scratch").iterdir()) == []
    assert states(store, {"toy/fails": artifact}) == {"toy/fails": "missing"}


def test_the_manifest_says_how_it_was_made(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())
    manifest = made["toy/both"].manifest
    assert manifest.inputs["upper"].digest == made["toy/upper"].manifest.digest
    assert manifest.config == {"suffix": ""}
    assert manifest.environment.libraries["polars"]
    assert manifest.cost.seconds > 0


def test_the_recorded_number_of_threads_is_the_one_computed_with(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a process whose environment asks for another one, before anything has imported torch."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert make(store, toy_graph()["toy/letters"]).manifest.environment.threads == 1
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_an_object_removed_from_the_store_counts_as_missing(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())
    store.backend.remove_folder(object_name(made["toy/letters"].manifest.digest), first=TREE)
    assert states(store, toy_graph())["toy/letters"] == "missing"
    assert not make(store, toy_graph()["toy/letters"]).cached


def test_an_external_version_is_part_of_the_cache_key(store: ArtifactStore) -> None:
    version = ["one"]
    plain = toy_graph()["toy/letters"]
    artifact = Artifact(
        plain.key, plain.compute, plain.config, {}, "letters", "toy", external=lambda: version[0]
    )
    make(store, artifact)
    assert make(store, artifact).cached
    version[0] = "two"
    assert states(store, {plain.key: artifact}) == {plain.key: "stale"}
    assert not make(store, artifact).cached


def test_descendants_are_everything_made_from_a_key() -> None:
    assert descendants(toy_graph(), {"toy/upper"}) == {"toy/upper", "toy/both"}
    assert descendants(toy_graph(), {"toy/letters"}) == set(toy_graph())
