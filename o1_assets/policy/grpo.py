"""TRL's GRPOTrainer with process supervision: our rollouts, and an advantage for every single token.

Two methods are overridden: `_generate_and_score_completions`, where solutions and advantages come from, and
`training_step`, which cuts the batch up for the cores and adds the replayed solutions. The loss and the optimiser are
TRL's. There is one update a batch, so training is on policy and the importance ratio is 1. Then the KL term is one of
the advantages (`Collector`), and TRL needs no reference model. Searched solutions are treated as
sampled ones: they are built of steps that this policy sampled a moment ago.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import torch
from transformers import TrainerCallback
from trl import GRPOTrainer

from o1_assets.core.parallel import backward
from o1_assets.engine.training.processes import processes, rank
from o1_assets.engine.training.trainer import backward_one_by_one
from o1_assets.policy.replay import Replay, replay_batch
from o1_assets.policy.rollouts import Rollout

# (prompts, number of the update) -> for each prompt its scored group.
Groups = Callable[[list[str], int], list[list[Rollout]]]


class ProcessGRPOTrainer(GRPOTrainer):
    """groups: makes and scores the solutions of an update. chunks: pieces that a process cuts its share of it into.

    replay: solutions whose cross-entropy is added to the loss, times `replay_weight`. replay_losses: of each update so
    far, without that weight.
    """

    def __init__(
        self,
        groups: Groups,
        pool: ThreadPoolExecutor,
        chunks: int = 1,
        replay: Replay | None = None,
        replay_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self._groups = groups
        self._pool = pool
        self._chunks = chunks
        self._replay, self._replay_weight = replay, replay_weight
        self.replay_losses: list[float] = []
        super().__init__(reward_funcs=_in_groups, **kwargs)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors of shape (B, prompt) left-padded, (B, T) right-padded; advantages (B, T).

        Raises ValueError if the batch is not made of whole groups.
        """
        # TRL repeats each problem's row `num_generations` times; our groups are made from the problem once.
        size = self.num_generations or 1
        prompts = [row["prompt"] for row in inputs[::size]]
        if [row["prompt"] for row in inputs] != [prompt for prompt in prompts for _ in range(size)]:
            raise ValueError(f"a batch of {len(inputs)} rows is not made of whole groups of {size}")
        groups = self._groups(prompts, self.state.global_step)
        tokens = sum(len(rollout.token_ids) for group in groups for rollout in group)
        # Equal solutions are merged. But TRL gathers a number for each row, so several processes need equally many.
        rollouts = [r for group in groups for r in (group if processes() > 1 else merge_equal(group))]

        encoded = {
            prompt: self._tokenizer.encode(prompt, add_special_tokens=False)
            for prompt in {rollout.prompt for rollout in rollouts}
        }
        prompt_ids, prompt_mask = self._pad([encoded[r.prompt] for r in rollouts], left=True)
        completion_ids, completion_mask = self._pad([r.token_ids for r in rollouts], left=False)
        # (rows, T). TRL's own advantages are (rows,), one a solution; its loss broadcasts either.
        advantages = torch.zeros(completion_ids.shape, device=completion_ids.device)
        for row, rollout in zip(advantages, rollouts, strict=True):
            row[: len(rollout.advantages)] = torch.as_tensor(rollout.advantages, dtype=row.dtype)
        return {
            "prompt_ids": prompt_ids,
            "prompt_mask": prompt_mask,
            "completion_ids": completion_ids,
            "completion_mask": completion_mask,
            "advantages": advantages,
            # All generated tokens, before merging and over all processes: what the loss's sum is divided by.
            "num_items_in_batch": self.accelerator.gather(
                torch.tensor(tokens, device=self.accelerator.device)
            ).sum(),
        }

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """In chunks of rows of similar length: shared between the CPUs of a single process (see `parallel`), else one
        after the other, so that only one chunk's activations and logits are held."""
        model.train()
        parts = cut(self._prepare_inputs(inputs), self._chunks)
        parts += self._replayed()
        self._step += 1  # by which TRL counts when new solutions are due
        if processes() > 1 or self.args.device.type != "cpu":
            # All processes have equally many rows and so equally many chunks: TRL gathers figures with each chunk, and
            # a process that had fewer would be waited for without end.
            return backward_one_by_one(self, model, parts, lambda part: self._loss(model, part))
        parameters = [p for p in model.parameters() if p.requires_grad]
        # The loss is a sum over tokens divided by a number of the whole batch, so chunks add up.
        loss = backward(self._pool, lambda part: self._loss(model, part), parts, parameters)
        return torch.tensor(loss)

    def _replayed(self) -> list[dict[str, torch.Tensor]]:
        """This process's share of the replayed rows, as one more part of the batch."""
        if self._replay is None or not self._replay_weight:
            return []
        rows = self._replay.drawn(self.state.global_step, rank(), processes())
        part = replay_batch(rows, self._tokenizer.pad_token_id) if rows else {}
        return [{name: value.to(self.accelerator.device) for name, value in part.items()}] if rows else []

    def _loss(self, model: Any, part: dict[str, torch.Tensor]) -> torch.Tensor:
        if "labels" not in part:
            loss: torch.Tensor = self.compute_loss(model, part)
            return loss
        replayed: torch.Tensor = model(**part, use_cache=False).loss
        self.replay_losses.append(float(replayed.detach()))
        return self._replay_weight * replayed

    def _pad(self, rows: list[list[int]], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """(ids, mask), both (rows, longest)."""
        length = max(len(row) for row in rows)
        ids = torch.full((len(rows), length), self._tokenizer.pad_token_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            columns = slice(length - len(row), length) if left else slice(0, len(row))
            ids[i, columns] = torch.tensor(row, dtype=torch.long)
            mask[i, columns] = 1
        return ids.to(self.accelerator.device), mask.to(self.accelerator.device)


class AfterUpdate(TrainerCallback):
    """Calls `action` with the number of updates done, after each; the training stops where it returns True."""

    def __init__(self, action: Callable[[int], bool]) -> None:
        self.action = action

    def on_step_end(self, args, state, control, **kwargs) -> None:  # type: ignore[no-untyped-def]
        if self.action(state.global_step):
            control.should_training_stop = True


def cut(batch: dict[str, torch.Tensor], chunks: int) -> list[dict[str, torch.Tensor]]:
    """The rows of a batch in chunks of similar completion length, each without the padding all its rows have."""
    prompt = batch["prompt_ids"].size(1)
    parts = []
    # (rows,) indices, shortest solutions first. Cut off per chunk are the columns of padding that all its rows have: on
    # the left of the prompts, on the right of the solutions.
    for rows in batch["completion_mask"].sum(dim=1).argsort(stable=True).chunk(chunks):
        keep = int(batch["completion_mask"][rows].sum(dim=1).max())
        start = prompt - int(batch["prompt_mask"][rows].sum(dim=1).max())
        parts.append(
            {
                name: value
                if value.dim() == 0
                else value[rows, start:]
                if name.startswith("prompt")
                else value[rows, :keep]
                for name, value in batch.items()
            }
        )
    return parts


def merge_equal(group: list[Rollout]) -> list[Rollout]:
    """Equal solutions of a group as one whose advantages are their sum.

    On policy the loss is linear in the advantages, so the gradient is the same and costs less: a policy that is
    sure of itself writes the same solution many times.
    """
    merged: dict[tuple[int, ...], Rollout] = {}
    for rollout in group:
        key = tuple(rollout.token_ids)
        if key in merged:
            rollout = replace(merged[key], advantages=merged[key].advantages + rollout.advantages)
        merged[key] = rollout
    return list(merged.values())


def _in_groups(**_: Any) -> list[float | None]:
    """Stands where TRL insists on a reward function."""
    raise AssertionError("rewards are made with the groups")
