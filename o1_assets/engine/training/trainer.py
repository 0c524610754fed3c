"""Lets a transformers.Trainer, and TRL's, go on from a `Checkpoints` to the same bytes as if never interrupted.

The Trainer's own checkpoints are pickles (optimizer.pt, rng_state.pth), so of its machinery only what counts
updates and skips batches is used. The order of the data depends on the seed and the number of the update alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from transformers import Trainer, TrainerCallback

from o1_assets.engine.training.checkpoint import Checkpoints, set_random_state
from o1_assets.engine.training.tracking import record

P = TypeVar("P")

SECONDS_BETWEEN_LINES = 5.0
"""Of progress: a small model makes many updates a second."""


class KeepState(TrainerCallback):
    """Saves the state of a Trainer when it is due, brings back the saved one, and says how far the training is.

    after_log: saves only when a loss was just logged, because nothing else holds the losses since the last log.
    figures: counts of the caller, saved with the state; after a restart they are in `figures_before`.
    """

    def __init__(
        self, checkpoints: Checkpoints, *, after_log: bool, figures: Callable[[], Any] = lambda: None
    ) -> None:
        self.checkpoints, self.after_log, self.figures = checkpoints, after_log, figures
        self.update = 0
        self.told = -SECONDS_BETWEEN_LINES  # the first loss is told at once
        self.saved: dict[str, Any] | None = None
        if checkpoint := checkpoints.load():
            self.update, self.saved = checkpoint
        self.figures_before = self.saved["figures"] if self.saved else None

    def resume_from(self, folder: Path) -> str | None:
        """What Trainer.train(resume_from_checkpoint=...) takes; fills `folder` with what it reads there."""
        if self.saved is None:
            return None
        # Only what Trainer reads here: the weights, and how far it was. The rest is set in the callbacks below.
        save_file(self.saved["model"], folder / "model.safetensors")
        (folder / "trainer_state.json").write_text(self.saved["trainer"])
        return str(folder)

    def on_train_begin(self, args, state, control, **kwargs) -> None:  # type: ignore[no-untyped-def]
        if self.saved is not None:
            kwargs["optimizer"].load_state_dict(self.saved["optimizer"])
            kwargs["lr_scheduler"].load_state_dict(self.saved["schedule"])
            self.checkpoints.progress(f"continues at update {self.update} of {state.max_steps}")

    def on_step_begin(self, args, state, control, **kwargs) -> None:  # type: ignore[no-untyped-def]
        # Not in on_train_begin: between the two the Trainer opens its data loader, which draws from the generators.
        if self.saved is not None:
            set_random_state(self.saved["random"])
            self.saved = None

    def on_step_end(self, args, state, control, **kwargs) -> None:  # type: ignore[no-untyped-def]
        if not self.after_log:
            self._save(state, kwargs)

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:  # type: ignore[no-untyped-def]
        record(state.global_step, logs or {})
        if "loss" not in (logs or {}):
            return
        if time.monotonic() - self.told >= SECONDS_BETWEEN_LINES:
            self.told = time.monotonic()
            line = f"update {state.global_step}/{state.max_steps}, loss {float(logs['loss']):.3f}"
            self.checkpoints.progress(line)
        if self.after_log:
            self._save(state, kwargs)

    def _save(self, state: Any, training: dict[str, Any]) -> None:
        if not self.checkpoints.due():
            return
        self.checkpoints.save(
            state.global_step,
            {
                "model": _trained(training["model"]),
                "optimizer": training["optimizer"].state_dict(),
                "schedule": training["lr_scheduler"].state_dict(),
                "trainer": json.dumps(asdict(state)),
                "figures": self.figures(),
            },
        )


def backward_one_by_one(
    trainer: Trainer, model: Any, parts: Sequence[P], loss_of: Callable[[P], torch.Tensor]
) -> torch.Tensor:
    """The gradient of the sum of the parts' losses, holding the activations of one part at a time. Returns that sum."""
    total = torch.zeros((), device=trainer.args.device)
    for i, part in enumerate(parts, 1):
        # Gradients add up in place; processes exchange them once, with the last part.
        with nullcontext() if i == len(parts) else trainer.accelerator.no_sync(model):
            with trainer.compute_loss_context_manager():
                loss = loss_of(part)
            trainer.accelerator.backward(loss)
        total += loss.detach()
    return total


def _trained(model: Any) -> dict[str, Any]:
    """The state of a model without its frozen weights, which are those of the checkpoint it began as."""
    # Tied weights have two names; without the second, a frozen embedding would be saved as the head.
    named = model.named_parameters(remove_duplicate=False)
    frozen = {name for name, parameter in named if not parameter.requires_grad}
    return {name: value for name, value in model.state_dict().items() if name not in frozen}
