"""TorchScript is compiled by one thread at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch

from o1_assets.engine.torch_script import compiled


def plus_one(x: torch.Tensor) -> torch.Tensor:
    y = x
    for step in range(8):
        y = torch.where(y > step, y * 1.0, y * 1.0)
    return y + 1


def test_threads_that_need_a_function_at_once_get_the_same_compiled_one() -> None:
    barrier = Barrier(8)

    def compile_at_once(_: int) -> object:
        barrier.wait()
        return compiled(plus_one)

    with ThreadPoolExecutor(8) as pool:
        functions = set(pool.map(compile_at_once, range(8)))
    assert len(functions) == 1
    assert functions.pop()(torch.ones(2)).tolist() == [2.0, 2.0]  # type: ignore[operator]
