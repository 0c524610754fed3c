"""The last state of a training that is under way, from which a killed run goes on.

    unfinished/<cache key>/<update>-<sha256>.safetensors

One file, written under another name and renamed: it is there as a whole or not at all, and its name says what
its bytes have to be. It is never an artifact: the folder goes when the artifact is in the store. How often it
is written changes no byte of a result.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.core.files import sha256, sync
from o1_assets.core.settings import checkpoint_seconds
from o1_assets.engine.training.processes import rank

if TYPE_CHECKING:
    from o1_assets.core.artifact import Task


COST_SHARE = 0.01
"""Of the time of a training, what saving it may take."""


class Checkpoints:
    """folder: where to; None saves nothing. seconds: the least time between two; 0 saves whenever asked."""

    def __init__(
        self,
        folder: Path | None = None,
        progress: Callable[[str], None] = lambda line: None,
        seconds: float | None = None,
    ) -> None:
        self.folder, self.progress = folder, progress
        self.seconds = checkpoint_seconds() if seconds is None else seconds
        self._cost = 0.0
        self._last = time.monotonic()

    @classmethod
    def of(cls, task: Task) -> Checkpoints:
        return cls(task.unfinished, task.progress)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder for what a trainer writes and nobody needs; a killed run's is not left in /tmp."""
        if self.folder is None or rank():
            with tempfile.TemporaryDirectory() as temporary:
                yield Path(temporary)
            return
        folder = self.folder / "trainer"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)

    def due(self) -> bool:
        """Whether enough time has passed for the next save to stay within COST_SHARE. Of several processes of a
        training one saves: they all hold the same."""
        if self.folder is None or rank():
            return False
        wait = max(self.seconds, self._cost / COST_SHARE) if self.seconds else 0.0
        return time.monotonic() - self._last >= wait

    def save(self, update: int, state: Mapping[str, Any]) -> None:
        """Keeps `state` (see `state.pack`) and the random generators as they are after `update` updates.

        What cannot be written is said and left: the training itself goes on.
        """
        from safetensors import SafetensorError

        if self.folder is None:
            return
        started = time.monotonic()
        try:
            self._write(self.folder, update, state)
        except (OSError, SafetensorError) as error:
            self.progress(f"its state could not be saved ({error}): if killed, it begins again")
        self._last = time.monotonic()
        self._cost = self._last - started

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """(update, state) of the newest whole checkpoint, or None. What is damaged is said and removed."""
        for path in sorted(self.folder.glob("*.safetensors"), reverse=True) if self.folder else []:
            update, _, digest = path.stem.partition("-")
            try:
                if sha256(path) != digest:
                    raise ValueError("its bytes are not what was written")
                found = int(update), _read(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.progress(f"the checkpoint {path} is damaged and ignored: {error}")
                path.unlink(missing_ok=True)
                continue
            return found
        return None

    def _write(self, folder: Path, update: int, state: Mapping[str, Any]) -> None:
        from safetensors.torch import save_file

        from o1_assets.engine.training.state import pack, random_state

        tensors: dict[str, Any] = {}
        packed = json.dumps(pack({**state, "random": random_state()}, tensors))
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{uuid.uuid4().hex}"
        try:
            save_file(tensors, temporary, metadata={"state": packed})
            sync(temporary)
            name = f"{update:09d}-{sha256(temporary)}.safetensors"
            os.replace(temporary, folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        sync(folder)
        for path in folder.iterdir():
            if path.name != name and path.is_file():
                path.unlink()


def _read(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    from o1_assets.engine.training.state import unpack

    try:
        with safe_open(path, framework="pt") as file:
            packed = json.loads((file.metadata() or {})["state"])
            state: dict[str, Any] = unpack(packed, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    return state
