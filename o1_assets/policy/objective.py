"""PolicyConfig as TRL's GRPOTrainer takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from o1_assets.policy.config import PolicyConfig


def rows_per_update(config: PolicyConfig) -> int:
    """Solutions of an update that are this process's share. Raises ValueError where shares are not equal."""
    from o1_assets.engine.training.processes import share

    minibatches = config.objective.minibatches
    problems = share(config.problems_per_update // minibatches, "policy.problems_per_update by minibatches")
    return problems * config.group_size


# ObjectiveConfig.loss -> TRL's loss_type.
LOSSES = {"token": "dapo", "sequence": "grpo", "constant": "dr_grpo"}


def grpo_arguments(config: PolicyConfig, seed: int, scratch: Path) -> Any:
    """TRL's arguments; nothing is logged, saved or reported by TRL."""
    import torch
    from trl import GRPOConfig

    from o1_assets.engine.training.processes import shared_arguments
    from o1_assets.engine.training.tuning import trainer_arguments

    objective = config.objective
    return GRPOConfig(
        output_dir=str(scratch),
        max_steps=config.updates,
        per_device_train_batch_size=rows_per_update(config),
        num_generations=config.group_size,
        num_iterations=objective.epochs,
        steps_per_generation=objective.minibatches,
        gradient_accumulation_steps=1,
        max_completion_length=config.prompt.max_tokens,
        temperature=config.temperature,
        beta=0.0,  # the KL term is among the advantages (`Collector`)
        loss_type=LOSSES[objective.loss],
        epsilon=objective.clip_low,
        epsilon_high=objective.clip_high,
        entropy_coef=objective.entropy,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": config.final_learning_rate},
        warmup_steps=config.warmup_updates,
        weight_decay=0.0,
        max_grad_norm=config.max_grad_norm,
        shuffle_dataset=False,  # `draw_problems` has drawn them in order
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
        **trainer_arguments(config.tuning),
        dataloader_pin_memory=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **shared_arguments(),
    )
