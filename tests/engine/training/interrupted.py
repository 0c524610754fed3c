"""A training that is killed between two saves and started again by another process, as far as it can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from o1_assets.core.artifact import Outcome, Task
from o1_assets.engine.open import open_engine
from o1_assets.engine.training.checkpoint import Checkpoints


class Killed(BaseException):
    """Nothing catches it, as nothing catches a SIGKILL."""


@contextmanager
def killed_after(saves: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Saves as often as it can, `saves` times; goes on without one more, and dies at the one after."""
    monkeypatch.setenv("O1_CHECKPOINT_SECONDS", "0")
    save, asked = Checkpoints.save, 0

    def dying(self: Checkpoints, update: int, state: Any) -> None:
        nonlocal asked
        asked += 1
        if asked <= saves:
            save(self, update, state)
        if asked == saves + 2:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Checkpoints, "save", dying)
        yield


def killed_then_resumed(
    compute: Callable[[Task, Any], Outcome],
    config: Any,
    inputs: dict[str, Path],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    saves: int = 3,
) -> tuple[Outcome, Path, list[str]]:
    """Outcome, folder and lines of progress of the second process. root: a folder that is made."""
    import torch

    lines: list[str] = []

    def task(name: str) -> Task:
        (root / name).mkdir(parents=True)
        return Task(inputs, root / name, 5, open_engine, lines.append, root / "unfinished")

    with killed_after(saves, monkeypatch):
        compute(task("killed"), config)
    torch.manual_seed(99)
    lines.clear()
    return compute(task("resumed"), config), root / "resumed", lines
