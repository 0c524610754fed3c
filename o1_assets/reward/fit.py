"""The training loop: transformers.Trainer with everything off that a short run does not need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from o1_assets.parallel import backward, workers
from o1_assets.reward.config import RewardModelConfig
from o1_assets.reward.model import RewardModel
from o1_assets.reward.optimizer import MuonAdamW
from o1_assets.reward.predict import stack
from o1_assets.reward.tree import Row, collate
from o1_assets.training.checkpoint import Checkpoints
from o1_assets.training.processes import processes, share, shared_arguments, summed
from o1_assets.training.trainer import KeepState
from o1_assets.training.tuning import pieces, trainer_arguments

Item = tuple[Row, NDArray[np.int64] | NDArray[np.float32], NDArray[np.float32] | None]
"""A row, the class of each of its tokens (-100: none) or the chance of the second of two classes (NaN: none), the
probability feature of each."""

LOG_EVERY = 10


def fit(
    model: RewardModel,
    items: Sequence[Item],
    config: RewardModelConfig,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
    checkpoints: Checkpoints | None = None,
) -> list[tuple[int, float]]:
    """Train in place on the items in order, batch_size at a time, from the last checkpoint on.

    Returns (update, mean loss since the last).
    """
    updates = len(items) // config.batch_size
    optimizer = build_optimizer(model, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda update: learning_rate_factor(update, updates, config.warmup)
    )
    keep = KeepState(checkpoints or Checkpoints(), after_log=True)
    with keep.checkpoints.scratch() as scratch, workers() as pool:
        trainer = SharingTrainer(
            pool=pool,
            cut=pieces(config.batch_size, config.tuning),
            model=model,
            args=TrainingArguments(
                output_dir=str(scratch),
                per_device_train_batch_size=share(config.batch_size, "batch_size"),
                max_steps=updates,
                train_sampling_strategy="sequential",
                logging_steps=LOG_EVERY,
                logging_first_step=True,
                logging_nan_inf_filter=False,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                remove_unused_columns=False,
                use_cpu=not torch.cuda.is_available(),
                seed=seed,
                **trainer_arguments(config.tuning),
                **shared_arguments(),
            ),
            data_collator=collate_items,
            train_dataset=list(items),
            optimizers=(optimizer, schedule),
            callbacks=[_Progress(progress), keep],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=keep.resume_from(scratch))
        history = [(int(e["step"]), float(e["loss"])) for e in trainer.state.log_history if "loss" in e]
    model.eval()
    return history


class SharingTrainer(Trainer):
    """A batch's rows go through the model in `cut` pieces, on CPUs at least one for each core (see `parallel`); the
    gradient is that of the whole. Several processes share a batch too; then each computes its rows in one piece.
    """

    def __init__(self, pool: ThreadPoolExecutor, cut: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool, self.cut = pool, cut

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        if processes() > 1:
            return super().training_step(model, inputs, num_items_in_batch)
        assert isinstance(model, RewardModel)
        model.train()
        on_cpu = self.args.device.type == "cpu"
        count = max(self.cut, torch.get_num_threads() if on_cpu else 1)
        parts = [{name: value[i::count] for name, value in inputs.items()} for i in range(count)]
        parts = [part for part in parts if model.label_weight(part["labels"])]
        weights = [model.label_weight(part["labels"]) for part in parts]
        loss_of = [
            partial(_share, model, part, w / sum(weights)) for part, w in zip(parts, weights, strict=True)
        ]
        if not on_cpu:
            return self._one_by_one(model, parts, [w / sum(weights) for w in weights])
        loss = backward(
            self.pool, lambda share: share(), loss_of, [p for p in model.parameters() if p.requires_grad]
        )
        return torch.tensor(loss)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Gradients are averaged over the processes: each one's mean is weighted by what it has labelled."""
        if processes() == 1:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        outputs = model(**inputs)
        weight = self.accelerator.unwrap_model(model).label_weight(inputs["labels"])
        of_all = weight * processes() / summed(weight)
        loss = outputs["loss"] * of_all if weight else outputs["logits"].sum() * 0.0
        return (loss, outputs) if return_outputs else loss

    def _one_by_one(
        self, model: RewardModel, parts: Sequence[dict[str, torch.Tensor]], weights: Sequence[float]
    ) -> torch.Tensor:
        """On a GPU: only one piece's activations are held at a time, and gradients add up in place."""
        total = torch.zeros((), device=self.args.device)
        for part, weight in zip(parts, weights, strict=True):
            part = self._prepare_inputs(part)
            with self.compute_loss_context_manager():
                loss = _share(model, part, weight)
            self.accelerator.backward(loss)
            total += loss.detach()
        return total


def _share(model: RewardModel, part: dict[str, torch.Tensor], weight: float) -> torch.Tensor:
    return model(**part)["loss"] * weight


def build_optimizer(model: RewardModel, config: RewardModelConfig) -> MuonAdamW:
    """Muon for the matrices inside the layers; AdamW for embeddings, norms and head, and for the feature."""
    matrices, others, feature = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("feature."):
            feature.append(parameter)
        elif config.optimizer == "muon" and ".layers." in name and parameter.ndim == 2:
            matrices.append(parameter)
        else:
            others.append(parameter)
    groups = [{"params": others, "lr": config.adamw_lr}]
    if feature:
        groups.append({"params": feature, "lr": config.feature_lr})
    return MuonAdamW(matrices, config.muon_lr, groups)


def learning_rate_factor(update: int, updates: int, warmup: float) -> float:
    """Linear from 0 to 1 over the first `warmup` share of the updates, linear to 0 at the end."""
    rising = (update + 1) / max(1.0, warmup * updates)
    falling = (updates - update) / max(1.0, (1 - warmup) * updates)
    return min(1.0, rising, falling)


def collate_items(items: Sequence[Item]) -> dict[str, torch.Tensor]:
    """Inputs of RewardModel.forward, padded on the right."""
    batch = collate([row for row, _, _ in items])
    labels = [own for _, own, _ in items]
    batch["labels"] = stack(labels, np.nan if labels[0].dtype.kind == "f" else -100)
    features = [feature for _, _, feature in items if feature is not None]
    if features:
        batch["min_logprob"] = stack(features, np.nan)
    return batch


class _Progress(TrainerCallback):
    def __init__(self, progress: Callable[[str], None]) -> None:
        self.progress = progress

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:  # type: ignore[no-untyped-def]
        if logs and "loss" in logs:
            self.progress(f"update {state.global_step}/{state.max_steps}, loss {float(logs['loss']):.3f}")
