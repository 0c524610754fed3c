"""GRPO: ours against TRL's GRPOTrainer and a plain loop; sampling, rewards and the update, from nano's GPT*.

All sample the same number of solutions of the same problems an update and ask the same reward models through the same
scorer, whole batches at once. Ours goes without what the others lack (KL, replay, resampling), and gives rewards a
step; the others give the mean of the same rewards a solution. TRL samples with `transformers.generate`: its vLLM needs
a GPU. Solutions differ from one to the next, so times are compared a generated token.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.registry import Figure

if TYPE_CHECKING:
    from o1_assets.policy.config import PolicyConfig
    from o1_assets.reward.score import Scorer

NAME = "grpo_vs_trl"
UPDATES, REPETITIONS = 3, 5


def compare() -> Mapping[str, Figure]:
    import polars as pl

    from benchmarks.models import opened_run
    from benchmarks.training_race import plain_model, race_trainings, times_faster, with_threads
    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer
    from o1_assets.policy.config import ReplayConfig, ResamplingConfig
    from o1_assets.policy.train import draw_problems, train_policy
    from o1_assets.reward.score import load_scorer

    with opened_run("generator/model", "r00/prm", "r00/orm", "problems/train") as (profile, folders):
        start = folders["generator/model"]
        config = profile.policy.model_copy(
            update={
                "updates": UPDATES,
                "kl_coefficient": 0.0,
                "replay": ReplayConfig(),
                "resampling": ResamplingConfig(),
            }
        )
        scorer = load_scorer(folders["r00/prm"], start, folders["r00/orm"])
        tokenizer = load_tokenizer(start)
        problems = draw_problems(
            pl.read_parquet(folders["problems/train"] / "problems.parquet"), config, seed=1
        )
        prompts = [config.prompt.render(problem["question"]) for problem in problems]
        solutions = config.problems_per_update * config.group_size

        def ours(repetition: int) -> list[int]:
            curve, _, _ = train_policy(
                load_causal_lm(start), tokenizer, scorer, problems, config, seed=repetition
            )
            return [round(point["tokens"] * solutions) for point in curve]

        def trl(repetition: int, pieces: int) -> list[int]:
            rewards = CountedRewards(scorer, tokenizer, config)
            with tempfile.TemporaryDirectory(prefix="bench-grpo-") as scratch:
                train_with_trl(plain_model(start), tokenizer, rewards, prompts, config, pieces, Path(scratch))
            return rewards.tokens

        def plain(repetition: int) -> list[int]:
            rewards = CountedRewards(scorer, tokenizer, config)
            plain_loop(plain_model(start), tokenizer, rewards, prompts, config, repetition)
            return rewards.tokens

        paces = race_trainings(
            {
                "ours": ours,
                "TRL's GRPOTrainer": with_threads(trl, 2, pieces=1),
                "TRL's GRPOTrainer, 4 pieces": with_threads(trl, 2, pieces=4),
                "plain loop": with_threads(plain, 2),
            },
            REPETITIONS,
        )
    says = "a generated token"
    return {
        NAME: times_faster(paces, "ours", "TRL", "at least 2", says),
        "grpo_vs_plain_loop": times_faster(paces, "ours", "plain", "at least 1", says),
    }


class CountedRewards:
    """The mean reward of each solution's steps, by PRM and ORM. tokens: generated for each call."""

    def __init__(self, scorer: Scorer, tokenizer: Any, config: PolicyConfig) -> None:
        self.scorer, self.tokenizer, self.config = scorer, tokenizer, config
        self.tokens: list[int] = []

    def of_solutions(
        self, prompts: Sequence[str], completion_ids: Sequence[list[int]], **_: Any
    ) -> list[float | None]:
        """What TRL asks for: one reward a solution."""
        from o1_assets.engine.steps import find_steps
        from o1_assets.policy.rewards import outcome_reward, process_rewards, step_rewards

        self.tokens.append(sum(map(len, completion_ids)))
        encoded = [self.tokenizer.encode(prompt, add_special_tokens=False) for prompt in prompts]
        steps, outcomes = self.scorer.score_both(encoded, completion_ids)
        rewards: list[float | None] = []
        for ids, probabilities, outcome in zip(completion_ids, steps, outcomes, strict=True):
            lines = [step.text.strip() for step in find_steps(ids, self.tokenizer)]
            process = process_rewards(probabilities, lines, self.config.reward)
            finished = ids[-1] == self.tokenizer.eos_token_id
            if not lines:  # cut off before the first step ended
                rewards.append(-1.0)
                continue
            of_steps = step_rewards(process, outcome_reward(outcome, finished), self.config.reward)
            rewards.append(float(of_steps.mean()))
        return rewards


def train_with_trl(
    model: Any,
    tokenizer: Any,
    rewards: CountedRewards,
    prompts: Sequence[str],
    config: PolicyConfig,
    pieces: int,
    scratch: Path,
) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from benchmarks.training_race import SILENT, run_trainer

    rows = config.problems_per_update * config.group_size
    arguments = GRPOConfig(
        output_dir=str(scratch),
        max_steps=config.updates,
        # One call of `generate` a batch; its loss in so many pieces, whose gradients add up.
        per_device_train_batch_size=rows // pieces,
        gradient_accumulation_steps=pieces,
        num_generations=config.group_size,
        max_completion_length=config.prompt.max_tokens,
        temperature=config.temperature,
        top_k=0,
        top_p=1.0,
        beta=0.0,
        loss_type="dapo",
        learning_rate=config.learning_rate,
        max_grad_norm=config.max_grad_norm,
        shuffle_dataset=False,
        **SILENT,
    )
    run_trainer(
        GRPOTrainer(
            model=model,
            reward_funcs=rewards.of_solutions,
            args=arguments,
            train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
            processing_class=tokenizer,
        )
    )


def plain_loop(
    model: Any,
    tokenizer: Any,
    rewards: CountedRewards,
    prompts: Sequence[str],
    config: PolicyConfig,
    seed: int,
) -> None:
    """What one would write by hand: `generate`, advantages of groups, a loss over tokens in pieces of equal lengths."""
    import torch

    torch.manual_seed(seed)
    end: Any = tokenizer.eos_token_id
    optimizer = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=0.0, fused=True)
    size = config.problems_per_update
    for first in range(0, len(prompts), size):
        asked = [p for p in prompts[first : first + size] for _ in range(config.group_size)]
        inputs = tokenizer(
            asked, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False
        )
        width = inputs["input_ids"].shape[1]
        model.eval()
        with torch.inference_mode():
            out = model.generate(
                **inputs, max_new_tokens=config.prompt.max_tokens, do_sample=True, temperature=1.0, top_k=0,
                top_p=1.0, use_cache=True, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        new = out[:, width:].clone()
        ended = new == end
        lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, new.shape[1])
        ids = [row[:n].tolist() for row, n in zip(new, lengths.tolist(), strict=True)]
        of_groups = torch.tensor(rewards.of_solutions(asked, ids)).view(size, config.group_size)
        deviation = of_groups.std(1, keepdim=True) + 1e-4
        advantages = ((of_groups - of_groups.mean(1, keepdim=True)) / deviation).flatten()
        learned = torch.arange(new.shape[1]) < lengths[:, None]
        whole = torch.cat([inputs["input_ids"], new], 1)
        mask = torch.cat([inputs["attention_mask"], learned.long()], 1)
        model.train()
        for rows in lengths.argsort().chunk(config.chunks):
            stop = int(lengths[rows].max())
            tokens, seen = whole[rows, : width + stop], mask[rows, : width + stop]
            positions = (seen.cumsum(1) - 1).clamp(min=0)
            logits = model(
                input_ids=tokens, attention_mask=seen, position_ids=positions, logits_to_keep=stop + 1,
                use_cache=False,
            ).logits[:, :-1]  # fmt: skip
            logprobs = -torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), tokens[:, width:].flatten(), reduction="none"
            ).view(len(rows), stop)
            ratios = (logprobs - logprobs.detach()).exp() * advantages[rows, None]
            (-(ratios * learned[rows, :stop]).sum() / lengths.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
