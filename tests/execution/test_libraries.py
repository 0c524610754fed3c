"""Libraries that only some settings use are recorded where these are set, and nowhere else."""

from __future__ import annotations

from importlib import metadata

import pytest

from o1_assets.core.settings import Settings
from o1_assets.execution import environment as recorded
from o1_assets.execution.environment import LIBRARIES, libraries
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is, whatever this environment has."""
    monkeypatch.setattr(recorded, "_version", lambda name: "1.0")


def of(profile: str, key: str) -> set[str]:
    graph = build_graph(load_profile(profile, ""), Settings.load(profile))
    return set(libraries(graph[key].config.model_dump(mode="json"))) - set(LIBRARIES)


def test_peft_is_recorded_of_trainings_with_low_rank_updates_only(installed: None) -> None:
    assert {key: of("qwen", key) for key in ("r00/policy", "r01/prm", "r00/solutions")} == {
        "r00/policy": {"peft"},
        "r01/prm": {"peft"},
        "r00/solutions": set(),
    }
    assert of("qwen-full", "r00/policy") == set()


def test_gguf_is_recorded_of_a_base_that_was_read_from_it_only(installed: None) -> None:
    assert of("smol", "base/model") == {"gguf"}
    assert of("smol-hub", "base/model") == of("smol", "generator/model") == set()


def test_nanos_manifests_are_the_same_with_and_without_them(installed: None) -> None:
    settings = Settings.load("nano")
    for artifact in build_graph(load_profile("nano"), settings).values():
        # The control of SFT by low-rank updates is no part of the loop.
        if artifact.key != "generator/low_rank":
            assert set(libraries(artifact.config.model_dump(mode="json"))) == set(LIBRARIES), artifact.key


def test_what_is_not_installed_is_left_out() -> None:
    found = libraries({"kind": "gguf", "tuning": {"lora": {"rank": 4}}})
    for name in ("polars", "peft", "gguf"):
        try:
            assert found[name] == metadata.version(name)
        except metadata.PackageNotFoundError:
            assert name not in found
