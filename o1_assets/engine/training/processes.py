"""A training by several processes, one for each GPU, as `accelerate launch` starts them.

A batch means the same however many processes share it: each takes its rows, in order, and the gradient is that of the
whole batch. In a single process every function here leaves things as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from transformers import TrainingArguments

A = TypeVar("A", bound="TrainingArguments")
T = TypeVar("T")


def rank() -> int:
    """The number of this process; process 0 writes what is kept."""
    import torch.distributed as dist

    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def processes() -> int:
    """How many processes share the training."""
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
    """The values of all processes, in their order, on every process. They have to be picklable."""
    import torch.distributed as dist

    if processes() == 1:
        return [value]
    values: list[Any] = [None] * processes()
    dist.all_gather_object(values, value)
    return values


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
    """Keeps a Trainer from spreading each batch over all GPUs that it sees (nn.DataParallel).

    That would make another batch of it: with n GPUs, Trainer multiplies the batch size by n. Here several GPUs are
    several processes.
    """
    alone: Any = arguments
    _ = alone.device  # computing it sets _n_gpu, and would set it again later
    alone._n_gpu = min(1, alone._n_gpu)
    return arguments


def flatten(parts: Sequence[Sequence[T]]) -> list[T]:
    """One list of all items, in order."""
    return [item for part in parts for item in part]
