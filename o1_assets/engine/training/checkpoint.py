"""The last state of a training that is under way, from which a killed run goes on.

    unfinished/<cache key>/<update>-<sha256>.safetensors

One file, written under another name and renamed: it is there as a whole or not at all, and its name says what
its bytes have to be. It is never an artifact: the folder goes when the artifact is in the store. How often it
is written changes no byte of a result.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from o1_assets.core.files import sha256, sync
from o1_assets.core.settings import checkpoint_seconds
from o1_assets.engine.training.processes import rank

if TYPE_CHECKING:
    from torch import Tensor

    from o1_assets.core.artifact import Task

# Share of the time of a training that saving it may take.
COST_SHARE = 0.01


class Checkpoints:
    """Saves and finds the state of one training.

    folder: where; None saves nothing. seconds: the least time between two checkpoints; 0 saves whenever asked.
    """

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
        """An empty folder for files that a trainer insists on writing; a killed run leaves none of them in /tmp."""
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
        """Whether enough time has passed for the next save to stay within COST_SHARE.

        If several processes share a training only one of them saves, because they all hold the same.
        """
        if self.folder is None or rank():
            return False
        # Twice as long to write, twice as long to wait: on a slow disk the training is not held up more.
        wait = max(self.seconds, self._cost / COST_SHARE) if self.seconds else 0.0
        return time.monotonic() - self._last >= wait

    def save(self, update: int, state: Mapping[str, Any]) -> None:
        """Keeps `state` (see `state.pack`) and the random generators as they are after `update` updates.

        A failure to write is reported, and the training goes on.
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
        """(update, state) of the newest whole checkpoint, or None. A damaged one is reported and removed."""
        for path in sorted(self.folder.glob("*.safetensors"), reverse=True) if self.folder else []:
            update, _, digest = path.stem.partition("-")
            try:
                if sha256(path) != digest:
                    raise ValueError("its bytes are not what was written")
                checkpoint = int(update), _read(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.progress(f"the checkpoint {path} is damaged and ignored: {error}")
                path.unlink(missing_ok=True)
                continue
            return checkpoint
        return None

    def _write(self, folder: Path, update: int, state: Mapping[str, Any]) -> None:
        from safetensors.torch import save_file

        tensors: dict[str, Any] = {}
        packed = json.dumps(pack({**state, "random": random_state()}, tensors))
        folder.mkdir(parents=True, exist_ok=True)
        # A hidden name, which `load` does not look for, until the file is whole.
        temporary = folder / f".{uuid.uuid4().hex}"
        try:
            save_file(tensors, temporary, metadata={"state": packed})
            sync(temporary)
            name = f"{update:09d}-{sha256(temporary)}.safetensors"
            os.replace(temporary, folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        # The folder too, or a power cut may forget the new name after the older files were removed.
        sync(folder)
        for path in folder.iterdir():
            if path.name != name and path.is_file():
                path.unlink()


def _read(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            packed = json.loads((file.metadata() or {})["state"])
            state: dict[str, Any] = unpack(packed, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    return state


# The state of a training as tensors and JSON, for safetensors: nothing is ever pickled, nothing unpickled.


def pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON, its tensors moved into `tensors` under new names; `unpack` turns it back.

    Takes what state_dict() of models, optimizers and schedulers holds: tensors, numpy arrays, numbers, text,
    None, lists, tuples and dicts with any such keys. Raises TypeError on anything else.
    """
    import torch

    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        # safetensors wants each tensor to have its memory for itself.
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, Mapping):
        return {"dict": [[pack(key, tensors), pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [pack(item, tensors) for item in value]}
    if isinstance(value, list):
        return [pack(item, tensors) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint holds tensors, numbers and text, not {type(value).__name__}")


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """What `pack` was given. Tensors are copies in memory of their own."""
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        # Cloned: a view of the file is not aligned, and the order of a sum may depend on the alignment.
        return tensors[value["tensor"]].clone()
    if "array" in value:
        return np.array(value["array"], dtype=np.dtype(value["dtype"]))
    if "tuple" in value:
        return tuple(unpack(item, tensors) for item in value["tuple"])
    return {unpack(key, tensors): unpack(item, tensors) for key, item in value["dict"]}


def random_state() -> dict[str, Any]:
    """Where Python's, numpy's and torch's global generators stand, on all devices."""
    import torch

    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        # As many as there are now: another machine, or another class of resources, may go on with it.
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
