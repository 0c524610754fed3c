"""Memory between two artifacts: what one left behind is returned to the system."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from o1_assets.execution import memory


class Trainer:
    """Refers to itself, as a trainer and its model do."""

    def __init__(self, mebibytes: int) -> None:
        self.model = self
        self.weights = [np.ones(2**17) for _ in range(mebibytes)]


@pytest.fixture(autouse=True)
def without_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_what_a_large_artifact_left_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGE_GIB", 0.0)
    trainer = Trainer(256)
    held = memory.resident_gib()
    del trainer
    assert memory.resident_gib() > held - 0.1, "a cycle stays until it is looked for"
    memory.give_back()
    assert memory.resident_gib() < held - 0.2


def test_where_little_is_held_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGE_GIB", 1e6)
    trainer = Trainer(1)
    left = weakref.ref(trainer)
    del trainer
    memory.give_back()
    assert left() is not None
