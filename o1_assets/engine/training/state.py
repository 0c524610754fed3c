"""The state of a training as tensors and JSON, for safetensors: nothing is ever pickled, nothing unpickled."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def pack(value: Any, tensors: Tensors) -> Any:
    """`value` as JSON, its tensors moved into `tensors` under new names; `unpack` turns it back.

    Takes what state_dict() of models, optimizers and schedulers holds: tensors, numpy arrays, numbers, text,
    None, lists, tuples and dicts with any such keys. Raises TypeError on anything else.
    """
    if isinstance(value, Tensor):
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


def unpack(value: Any, tensors: Tensors) -> Any:
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
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        # As many as there are now: another machine, or another class of resources, may go on with it.
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
