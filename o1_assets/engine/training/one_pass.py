"""One pass over batches that were drawn before: the loop of the models that are pre-trained here.

Muon for the layers' matrices, AdamW for the rest, linear decay. The same seed and number of threads give the same
bytes, whether or not the training was killed in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeVar

from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.tracking import record

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
REPORT_EVERY = 100
WINDOW = 20
"""Batches whose items are sorted by length together."""


def batches_by_length(
    items: Sequence[Item], length: Callable[[Item], int], batch_size: int, seed: int
) -> Iterator[list[Item]]:
    """One pass over the items in batches of near equal length, which need little padding."""
    rng = Random(seed)
    # Sorted and shuffled within windows only, so that a corpus keeps its own order, which is its curriculum.
    for start in range(0, len(items), WINDOW * batch_size):
        window = sorted(items[start : start + WINDOW * batch_size], key=length)
        groups = [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
        rng.shuffle(groups)
        yield from groups


def smoothed(losses: Sequence[float], window: int = 10) -> tuple[list[float], list[float]]:
    """Updates and means of the losses over windows, for a plot."""
    starts = range(0, len(losses), window)
    means = [sum(losses[i : i + window]) / len(losses[i : i + window]) for i in starts]
    return [i + window / 2 for i in starts], means


def one_pass(
    model: torch.nn.Module,
    matrices: Sequence[torch.nn.Parameter],
    batches: Sequence[list[Item]],
    loss_of: Callable[[list[Item], list[Item]], torch.Tensor],
    muon_lr: float,
    adamw_lr: float,
    warmup: int,
    max_grad_norm: float,
    autocast: bool = False,
    progress: Callable[[str], None] = lambda line: None,
    checkpoints: Checkpoints | None = None,
) -> list[float]:
    """Train in place, an update a batch, from the last checkpoint on. Returns the loss of every update.

    matrices: those that Muon trains; AdamW trains all other parameters. loss_of(batch, part): the share of the batch's
    loss that a part of its items has, so that the parts' losses add up to that of the batch. autocast: multiply in
    bfloat16.
    """
    import torch

    from o1_assets.core.parallel import backward, cores, workers
    from o1_assets.engine.training.checkpoint import set_random_state
    from o1_assets.engine.training.optimizer import MuonAdamW

    of_muon = {id(p) for p in matrices}
    parameters = list(model.parameters())
    rest = [p for p in parameters if id(p) not in of_muon]
    optimizer = MuonAdamW(list(matrices), muon_lr, [{"params": rest, "lr": adamw_lr}], autocast=autocast)
    total = len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda u: min((u + 1) / (warmup + 1), (total - u) / total)
    )
    losses: list[float] = []
    checkpoints = checkpoints or Checkpoints()
    if checkpoint := checkpoints.load():
        done, state = checkpoint
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        losses = state["losses"]
        set_random_state(state["random"])
        progress(f"continues at update {done} of {total}")
    started = time.monotonic()
    model.train()
    # One part of the batch a core (core/parallel.py has the measurement). A GPU has no use for it.
    device = parameters[0].device.type
    cut = cores() if device == "cpu" else 1

    def loss_here(batch: list[Item], part: list[Item]) -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=autocast):  # of this thread alone
            return loss_of(batch, part)

    with workers() as pool:
        optimizer.pool = pool
        for update, batch in enumerate(batches[len(losses) :], len(losses) + 1):
            parts = [part for i in range(cut) if (part := batch[i::cut])]
            losses.append(backward(pool, partial(loss_here, batch), parts, parameters))
            torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm)
            optimizer.step()
            schedule.step()
            record(update, {"loss": losses[-1]})
            if checkpoints.due():
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                checkpoints.save(update, {**state, "schedule": schedule.state_dict(), "losses": losses})
            if update % REPORT_EVERY == 0:
                recent = sum(losses[-REPORT_EVERY:]) / REPORT_EVERY
                progress(f"update {update}/{total}, loss {recent:.3f}, {time.monotonic() - started:.0f} s")
    model.eval()
    return losses
