"""Trainings of the same model on the same data, timed in turn, from one update to the next.

What is timed is what trains: from the end of the first update to the end of the last, so that neither imports nor the
construction of a trainer, tokenization, or the storing of a model count on any side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.registry import Figure

SILENT: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "dataloader_pin_memory": False,
    "logging_strategy": "no",
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
"""Of transformers' and TRL's trainers on CPUs: neither logs nor checkpoints."""

Contender = Callable[[int], Sequence[int] | None]
"""(number of the repetition) -> tokens generated for each update, None where all updates cost the same."""


@contextmanager
def update_times() -> Iterator[list[float]]:
    """The times at which the optimizer that trains inside has ended an update; complete when the context has ended."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    ended: list[tuple[int, float]] = []
    times: list[float] = []
    # Of every optimizer of the process: a trainer makes its own.
    hook = register_optimizer_step_post_hook(
        lambda optimizer, *_: ended.append((id(optimizer), time.perf_counter()))
    )
    try:
        yield times
    finally:
        hook.remove()
    # An optimizer that holds another one ends its step last.
    times += [at for number, at in ended if number == ended[-1][0]]


def race_trainings(contenders: Mapping[str, Contender], repetitions: int) -> dict[str, list[float]]:
    """Seconds an update, or a generated token, of each contender in each repetition; the first of all is to warm up."""
    paces: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(repetitions + 1):
        for name, contender in contenders.items():
            with update_times() as times:
                tokens = contender(repetition)
            if repetition:
                work = len(times) - 1 if tokens is None else sum(tokens[1:])
                paces[name].append((times[-1] - times[0]) / work)
    for name, of_contender in paces.items():
        print(f"  {name:44} {median(of_contender) * 1000:9.2f} ms", flush=True)
    return paces


def with_threads(train: Callable[..., Any], threads: int, **options: Any) -> Contender:
    """A contender that trains with so many of torch's threads."""
    import torch

    def run(repetition: int) -> Sequence[int] | None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            tokens: Sequence[int] | None = train(repetition, **options)
            return tokens
        finally:
            torch.set_num_threads(before)

    return run


def times_faster(
    paces: Mapping[str, Sequence[float]], ours: str, theirs: str, limit: str, unit: str = "an update"
) -> Figure:
    """Ours against the fastest contender whose name begins with `theirs`, repetition by repetition."""
    best = min((name for name in paces if name.startswith(theirs)), key=lambda name: median(paces[name]))
    ratios = [other / own for own, other in zip(paces[ours], paces[best], strict=True)]
    own, other = (f"{median(paces[name]) * 1000:.3g} ms {unit}" for name in (ours, best))
    return Figure(
        median(ratios), max(ratios) - min(ratios), "times", f"{limit}; {best}", own, f"{best}: {other}"
    )


def run_trainer(trainer: Any) -> None:
    """Trains, without the line that transformers prints at the end."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.train()


def plain_model(folder: Path) -> Any:
    """The checkpoint in transformers' own layers, which is what other trainers are given."""
    from transformers import AutoModelForCausalLM

    from o1_assets.engine.checkpoint import load_causal_lm, load_config

    model = AutoModelForCausalLM.from_config(load_config(folder), attn_implementation="sdpa")
    model.load_state_dict(load_causal_lm(folder).state_dict())
    return model
