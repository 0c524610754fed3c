from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from o1_assets.store.store import ArtifactStore
from tests.store.s3 import NewBucket, s3_server


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
