"""A training as several processes, one a GPU, as `accelerate launch` starts them: who this one is, what all share.

A batch means the same however many processes share it: each takes its rows, in order, and the gradient is that of
the whole. Alone, every function here leaves things as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from transformers import TrainingArguments


A = TypeVar("A", bound="TrainingArguments")


T = TypeVar("T")


def rank() -> int:
    """Which of the processes this is; process 0 writes what is kept."""
    import torch.distributed as dist

    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def processes() -> int:
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def share(total: int, what: str) -> int:
    """How many of `total` each process takes. Raises ValueError when they cannot share it equally."""
    if total % processes():
        raise ValueError(
            f"{what} is {total}, which {processes()} processes cannot share equally; set it to a multiple, or "
            "launch fewer processes"
        )
    return total // processes()


def all_gather_object(value: T) -> list[T]:
    """The value of every process, in their order; every process gets them all. It has to be picklable."""
    import torch.distributed as dist

    if processes() == 1:
        return [value]
    found: list[Any] = [None] * processes()
    dist.all_gather_object(found, value)
    return found


def all_reduce_sum(value: float) -> float:
    """The sum over all processes, the same on each."""
    return sum(all_gather_object(value))


def shared_arguments(split: bool = False) -> dict[str, Any]:
    """Arguments of a transformers.Trainer that several processes share; alone none are needed.

    split: process 0 draws the batches and hands them out row by row, so that the order of the data, and an incomplete
    last batch, are those of one process.
    """
    if processes() == 1:
        return {}
    handed_out = {"accelerator_config": {"split_batches": True, "dispatch_batches": True}}
    return {"ddp_find_unused_parameters": False, **(handed_out if split else {})}


def disable_data_parallel(arguments: A) -> A:
    """Keeps a Trainer from spreading each batch over all GPUs that it sees (nn.DataParallel), which would make another
    batch of it: several GPUs are several processes here."""
    alone: Any = arguments
    _ = alone.device  # sets what is changed now
    alone._n_gpu = min(1, alone._n_gpu)
    return arguments


def flatten(parts: Sequence[Sequence[T]]) -> list[T]:
    return [item for part in parts for item in part]
