from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from tests.end_to_end import mini_home as homes


@pytest.fixture(scope="session")
def mini_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the whole mini graph, made once for all test workers: copy it before you change it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    home, made = folder / "mini_home", folder / "mini_home.made"
    with FileLock(folder / "mini_home.lock"):
        if not made.exists():
            home.mkdir()
            homes.make(home)
            made.touch()
    return home
