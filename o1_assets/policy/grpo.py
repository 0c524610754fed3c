"""TRL's GRPOTrainer with process supervision: our rollouts, and an advantage for every single token.

Two methods are overridden: `_generate_and_score_completions`, where solutions and advantages come from, and
`training_step`, which cuts the batch up for the cores and adds the replayed solutions. The loss, its clipping and the
optimiser are TRL's. The KL term is one of the advantages (`Collector`), so TRL needs no reference model. Searched
solutions are treated as sampled ones: they are built of steps that this policy sampled a moment ago.

A loss is proportional to its advantages, clipped or not, as long as they keep their sign: min(r A, clip(r) A). So equal
solutions can be one row, and weights of tokens, the importance of a sample among them, can be part of the advantages.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import fsum
from typing import Any

import torch
from transformers import TrainerCallback
from trl import GRPOTrainer

from o1_assets.core.parallel import backward
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.processes import processes, rank
from o1_assets.engine.training.trainer import KeepState, backward_one_by_one
from o1_assets.policy.replay import Replay, replay_batch
from o1_assets.policy.rollouts import Rollout

# (prompts, number of the update) -> for each prompt its scored group.
Groups = Callable[[list[str], int], list[list[Rollout]]]


class ProcessGRPOTrainer(GRPOTrainer):
    """groups: makes and scores the solutions of an update. chunks: pieces that a process cuts its share of it into.

    replay: solutions whose cross-entropy is added to the loss, times `replay_weight`. replay_losses: of each update so
    far, without that weight. clip_shares: of each update, the mean over its chunks of the share of
    tokens whose ratio was clipped.

    importance_cap: where another engine samples than trains, of the importance of a token. mismatches: figures of
    each batch about how far the two differ.
    """

    def __init__(
        self,
        groups: Groups,
        pool: ThreadPoolExecutor,
        chunks: int = 1,
        replay: Replay | None = None,
        replay_weight: float = 0.0,
        importance_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        self._groups = groups
        self._pool = pool
        self._chunks = chunks
        self._replay, self._replay_weight = replay, replay_weight
        self.replay_losses: list[float] = []
        self.clip_shares: list[float] = []
        self._importance_cap = importance_cap
        self.mismatches: list[dict[str, float]] = []
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
        tokens = sum(len(r.token_ids) for group in groups for r in group if not r.ignored)
        rollouts = [r for group in groups for r in (merge_equal(group) if self._merges() else group)]

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
        learned = torch.tensor([[not rollout.ignored] for rollout in rollouts], device=completion_ids.device)
        batch = {
            "prompt_ids": prompt_ids,
            "prompt_mask": prompt_mask,
            "completion_ids": completion_ids,
            "completion_mask": completion_mask * learned,
            "advantages": advantages,
            # All generated tokens, before merging and over all processes: what the loss's sum is divided by.
            "num_items_in_batch": self.accelerator.gather(
                torch.tensor(tokens, device=self.accelerator.device)
            ).sum(),
        }
        if self._updates_per_batch > 1 or self._importance_cap is not None:
            of_trainer = self._logprobs(batch)
            if self._importance_cap is not None:
                of_sampler = sampled_logprobs(rollouts, of_trainer)
                ratios, figures = importance(
                    of_trainer, of_sampler, batch["completion_mask"], self._importance_cap
                )
                batch["advantages"] = advantages * ratios
                self.mismatches.append(figures)
            if self._updates_per_batch > 1:
                batch["old_per_token_logps"] = of_trainer
        return batch

    @property
    def _minibatches(self) -> int:
        arguments: Any = self.args
        return int(arguments.steps_per_generation)

    @property
    def _updates_per_batch(self) -> int:
        return self.num_iterations * self._minibatches

    def _merges(self) -> bool:
        """Whether equal solutions may be one row: where nothing is averaged over rows or over what rows hold, and TRL
        neither cuts the batch into equal parts nor gathers a number for each row of each process."""
        averages = self.loss_type != "dapo" or self.entropy_coef
        return not averages and self._minibatches == 1 and processes() == 1

    def _logprobs(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Log-probabilities of the solutions' tokens under the policy as it is, (rows, T)."""
        result = torch.zeros(batch["completion_ids"].shape, device=batch["completion_ids"].device)

        def read(rows: torch.Tensor) -> None:
            part = part_of(batch, rows)
            ids, mask = (
                torch.cat([part[f"prompt_{name}"], part[f"completion_{name}"]], 1) for name in ("ids", "mask")
            )
            kept = part["completion_ids"].size(1)
            with torch.no_grad():
                logprobs, _, _ = self._get_per_token_logps_and_entropies(self.model, ids, mask, kept)
            result[rows, :kept] = logprobs.float()

        chunks = by_length(batch, self._chunks)
        # Parts of the batch have rows of their own, so the order in which threads write does not matter.
        if self.args.device.type == "cpu":
            list(self._pool.map(read, chunks))
        else:
            for rows in chunks:
                read(rows)
        return result

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """In chunks of rows of similar length: shared between the CPUs of a single process (see `parallel`), else one
        after the other, so that only one chunk's activations and logits are held."""
        model.train()
        parts = self._shares(cut(self._prepare_inputs(inputs), self._chunks))
        parts += self._replayed()
        self._step += 1  # by which TRL counts when new solutions are due
        clipped = self._metrics["train"]["clip_ratio/region_mean"]
        clipped.clear()
        if processes() > 1 or self.args.device.type != "cpu":
            # All processes have equally many rows and so equally many chunks: TRL gathers figures with each chunk, and
            # a process that had fewer would be waited for without end.
            loss = backward_one_by_one(self, model, parts, lambda part: self._loss(model, part))
        else:
            parameters = [p for p in model.parameters() if p.requires_grad]
            # The loss is a sum over tokens divided by a number of the whole batch, so chunks add up.
            loss = torch.tensor(backward(self._pool, lambda part: self._loss(model, part), parts, parameters))
        # fsum: threads append in any order.
        self.clip_shares.append(fsum(clipped) / max(1, len(clipped)))
        return loss

    def _shares(self, parts: list[dict[str, torch.Tensor]]) -> list[dict[str, torch.Tensor]]:
        """Gives each part its share of the loss, so that they add up also where TRL averages over what it is given:
        over rows, if the loss is not over all tokens, and over tokens for the entropy."""
        by_rows = self.loss_type != "dapo"
        if not by_rows and not self.entropy_coef:
            return parts
        rows = [part["completion_ids"].size(0) for part in parts]
        tokens = [int(part["completion_mask"].sum()) for part in parts]
        for part, r, t in zip(parts, rows, tokens, strict=True):
            of_loss = r / sum(rows) if by_rows else 1.0
            share = t / max(1, sum(tokens)) if self.entropy_coef else of_loss
            # The whole part is multiplied by its share, and what of that is not the loss's own is taken back here.
            part["advantages"] = part["advantages"] * (of_loss / share if share else 0.0)
            part["share"] = torch.tensor(share)
        return parts

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
            return loss * part["share"] if "share" in part else loss
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


class KeepBatches(KeepState):
    """Saves after whole batches of solutions only: a training could not go on with a half-used one.

    updates_per_batch: how many updates use one.
    """

    def __init__(self, checkpoints: Checkpoints, updates_per_batch: int, figures: Callable[[], Any]) -> None:
        super().__init__(checkpoints, after_log=False, figures=figures)
        self.updates_per_batch = updates_per_batch

    def _save(self, state: Any, training: dict[str, Any]) -> None:
        if state.global_step % self.updates_per_batch == 0:
            super()._save(state, training)


class AfterUpdate(TrainerCallback):
    """Calls `action` with the number of updates done, after each; the training stops where it returns True."""

    def __init__(self, action: Callable[[int], bool]) -> None:
        self.action = action

    def on_step_end(self, args, state, control, **kwargs) -> None:  # type: ignore[no-untyped-def]
        if self.action(state.global_step):
            control.should_training_stop = True


def sampled_logprobs(rollouts: list[Rollout], otherwise: torch.Tensor) -> torch.Tensor:
    """What the sampler gave the tokens, (rows, T); `otherwise` where it was not said, as in searched solutions."""
    result = otherwise.clone()
    for row, rollout in zip(result, rollouts, strict=True):
        if rollout.logprobs is not None:
            row[: len(rollout.logprobs)] = torch.tensor(rollout.logprobs, dtype=row.dtype)
    return result


def importance(
    of_trainer: torch.Tensor, of_sampler: torch.Tensor, mask: torch.Tensor, cap: float
) -> tuple[torch.Tensor, dict[str, float]]:
    """min(p(trainer) / p(sampler), cap) of each token, (rows, T), and how far the two differ.

    Figures: mean and largest difference of a token's log-probability, mean of the ratios, share of those cut off.
    """
    learned = mask > 0
    difference = torch.where(learned, of_trainer - of_sampler, 0.0)
    ratios = difference.exp()
    size, count = difference.abs(), max(1, int(learned.sum()))
    figures = {
        "sampler_difference": float(size.sum()) / count,
        "sampler_difference_max": float(size.max()),
        "importance": float(ratios[learned].sum()) / count,
        "importance_cut_share": float((ratios > cap).sum()) / count,
    }
    return ratios.clamp(max=cap), figures


def cut(batch: dict[str, torch.Tensor], chunks: int) -> list[dict[str, torch.Tensor]]:
    """The rows of a batch in chunks of similar completion length, each without the padding all its rows have."""
    return [part_of(batch, rows) for rows in by_length(batch, chunks)]


def by_length(batch: dict[str, torch.Tensor], chunks: int) -> tuple[torch.Tensor, ...]:
    """Indices of the rows of each chunk, shortest solutions first."""
    return batch["completion_mask"].sum(dim=1).argsort(stable=True).chunk(chunks)


def part_of(batch: dict[str, torch.Tensor], rows: torch.Tensor) -> dict[str, torch.Tensor]:
    """Some rows, without the columns of padding that all of them have: on the left of the prompts, on the right of the
    solutions."""
    prompt = batch["prompt_ids"].size(1)
    keep = max(1, int(batch["completion_mask"][rows].sum(dim=1).max()))
    start = prompt - int(batch["prompt_mask"][rows].sum(dim=1).max())
    return {
        name: value
        if value.dim() == 0
        else value[rows, start:]
        if name.startswith("prompt")
        else value[rows, :keep]
        for name, value in batch.items()
    }


def merge_equal(group: list[Rollout]) -> list[Rollout]:
    """Equal solutions of a group as one whose advantages are their sum.

    Theirs are equal, so the gradient is the same and costs less: a policy that is sure of itself writes the same
    solution many times.
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
