"""The training loop of the reward models: transformers.Trainer without everything that a short run does not need."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PrinterCallback, Trainer, TrainingArguments

from o1_assets.core.parallel import backward, cores, workers
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.optimizer import MuonAdamW
from o1_assets.engine.training.processes import (
    all_reduce_sum,
    disable_data_parallel,
    processes,
    share,
    shared_arguments,
)
from o1_assets.engine.training.trainer import KeepState, backward_one_by_one
from o1_assets.engine.training.tuning import pieces, trainer_arguments
from o1_assets.reward.config import RewardModelConfig
from o1_assets.reward.model import RewardModel
from o1_assets.reward.read import stack
from o1_assets.reward.tree import Row, collate

# A row; for each of its tokens the class (-100: none), or the chance of the second of two classes (NaN: none); and for
# each of them the probability feature.
Item = tuple[Row, NDArray[np.int64] | NDArray[np.float32], NDArray[np.float32] | None]
LOG_EVERY = 10


def fit(
    model: RewardModel,
    items: Sequence[Item],
    config: RewardModelConfig,
    seed: int,
    checkpoints: Checkpoints,
) -> list[tuple[int, float]]:
    """Train in place on the items in order, batch_size at a time, from the last checkpoint on.

    Returns (update, mean loss since the last).
    """
    updates = len(items) // config.batch_size
    optimizer = build_optimizer(model, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda update: learning_rate_factor(update, updates, config.warmup)
    )
    keep = KeepState(checkpoints, after_log=True)
    rows_here = share(config.batch_size, "batch_size")
    with keep.checkpoints.scratch() as scratch, workers() as pool:
        optimizer.pool = pool
        trainer = SharingTrainer(
            pool=pool,
            cut=pieces(rows_here, config.tuning),
            model=model,
            args=disable_data_parallel(
                TrainingArguments(
                    output_dir=str(scratch),
                    per_device_train_batch_size=rows_here,
                    max_steps=updates,
                    train_sampling_strategy="sequential",  # `draw_order` has drawn the order
                    logging_steps=LOG_EVERY,
                    logging_first_step=True,
                    logging_nan_inf_filter=False,  # a loss that is not a number should be seen as one
                    save_strategy="no",
                    report_to="none",
                    disable_tqdm=True,
                    remove_unused_columns=False,
                    use_cpu=not torch.cuda.is_available(),
                    seed=seed,
                    **trainer_arguments(config.tuning),
                    **shared_arguments(),
                )
            ),
            data_collator=collate_items,
            train_dataset=list(items),
            optimizers=(optimizer, schedule),
            callbacks=[keep],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=keep.resume_from(scratch))
        history = [(int(e["step"]), float(e["loss"])) for e in trainer.state.log_history if "loss" in e]
    model.eval()
    return history


class SharingTrainer(Trainer):
    """A Trainer whose batches go through the model in `cut` pieces, on CPUs at least one for each core (`parallel`).

    The gradient is that of the whole batch, which all processes share.
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
        # The loss of a piece is the mean over its own labels, and pieces have different numbers of them. So the mean
        # over the batch is the sum of the pieces' losses, each weighted by its share of the labels.
        plain = self.accelerator.unwrap_model(model)
        assert isinstance(plain, RewardModel)
        model.train()
        in_threads = processes() == 1 and self.args.device.type == "cpu"
        count = max(self.cut, cores() if in_threads else 1)
        # Every count-th row: rows are sorted by length, so the pieces are of similar size.
        parts = [{name: value[i::count] for name, value in inputs.items()} for i in range(count)]
        # A piece without labels has no gradient. Several processes keep it: all of them have to exchange as often.
        if processes() == 1:
            parts = [part for part in parts if plain.label_weight(part["labels"])]
        weights = [plain.label_weight(part["labels"]) for part in parts]
        total = all_reduce_sum(sum(weights)) or 1.0
        if not in_threads:
            # Gradients are averaged over the processes, each of which weights its pieces by what all have labelled.
            scaled = [weight * processes() / total for weight in weights]
            return backward_one_by_one(
                self,
                model,
                list(zip(parts, scaled, strict=True)),
                lambda part: _share(model, self._prepare_inputs(part[0]), part[1]),
            )
        loss_of = [partial(_share, plain, part, w / total) for part, w in zip(parts, weights, strict=True)]
        loss = backward(
            self.pool, lambda share: share(), loss_of, [p for p in model.parameters() if p.requires_grad]
        )
        return torch.tensor(loss)


def _share(model: nn.Module, part: dict[str, torch.Tensor], weight: float) -> torch.Tensor:
    """The loss of one piece. Without labels it is zero, but a zero that depends on every parameter: DDP waits for the
    gradients of all of them."""
    outputs = model(**part)
    loss: torch.Tensor = outputs["loss"] * weight if weight else outputs["logits"].sum() * 0.0
    return loss


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
    return MuonAdamW(matrices, config.muon_lr, groups, autocast=config.tuning.autocast)


def learning_rate_factor(update: int, updates: int, warmup: float) -> float:
    """Linear from 0 to 1 over the first `warmup` share of the updates, linear to 0 at the end."""
    # From 1 / warmup updates on, not from 0: the first update would be lost.
    rising = (update + 1) / max(1.0, warmup * updates)
    falling = (updates - update) / max(1.0, (1 - warmup) * updates)
    return min(1.0, rising, falling)


def collate_items(items: Sequence[Item]) -> dict[str, torch.Tensor]:
    """Inputs of RewardModel.forward, padded on the right."""
    batch = collate([row for row, _, _ in items])
    labels = [labels for _, labels, _ in items]
    # Padding gets no label: NaN where labels are chances, -100 where they are classes.
    batch["labels"] = stack(labels, np.nan if labels[0].dtype.kind == "f" else -100)
    features = [feature for _, _, feature in items if feature is not None]
    if features:
        batch["min_logprob"] = stack(features, np.nan)
    return batch
