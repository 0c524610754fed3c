from __future__ import annotations

import gc
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

# Before anything imports torch. OpenMP's threads wait for one another by spinning, and test workers share the cores: a
# fixture that trains 120 updates of a tiny model took 32 s in place of 2 beside other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from o1_assets.store.store import ArtifactStore
from tests.store.s3 import NewBucket, s3_server
from tests.unsynced import stop_waiting

if importlib.util.find_spec("hypothesis"):  # vLLM's environment is without
    from hypothesis import settings

    # An example that takes longer than .2 s by the clock would fail, which other programs decide.
    settings.register_profile("no deadline", deadline=None)
    settings.load_profile("no deadline")

stop_waiting()

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def new_bucket() -> Iterator[NewBucket]:
    missing = [name for name in ("moto", "flask", "s3fs") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}, which `uv sync --group dev` installs")
    with s3_server() as new:
        yield new


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """An empty store on each kind of place it can lie."""
    if request.param == "s3":
        url = f"s3://{request.getfixturevalue('new_bucket')()}/team/nano"
    elif request.param == "memory":
        url = f"memory://{tmp_path.name}-{id(tmp_path)}"
    else:
        url = str(tmp_path / "store")
    return ArtifactStore(url, tmp_path / "work")


@pytest.fixture
def disk(tmp_path: Path) -> ArtifactStore:
    """An empty store in a folder."""
    return ArtifactStore(str(tmp_path / "store"), tmp_path / "work")


SLOWEST = [
    "end_to_end/test_whole_loop.py",
    "profiles/test_mini_loops.py",
    "end_to_end/test_optional_parts.py",
    "end_to_end/test_imported_labels.py",
    "sensors/test_label_batches.py",
    "orchestration/test_processes.py",
    "end_to_end/test_your_own.py",
    "sensors/test_withdrawal.py",
    "graph/test_loading.py",
    "cli/test_serve.py",
    "orchestration/test_pools.py",
    "labels/test_bad_input.py",
    "labels/test_label_table.py",
    "experiments/test_document.py",
]
"""Files that take longest, by processor time: begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {str(FOLDER / name): i for i, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: place.get(str(item.path), len(SLOWEST)))


def pytest_collection_finish() -> None:
    """All is imported by now. Trainings collect garbage often, each time 0.4 s for the libraries' 680,000 objects."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # else nanobind calls them leaks
