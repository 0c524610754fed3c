"""SFT of GPT*: ours against TRL's SFTTrainer and a plain loop; nano's base, its own solutions, its batches.

Ours is `generator/model` as the graph makes it. TRL is tried with batches as they are drawn and with batches of similar
lengths, with one thread and two. Its packing and padding-free batches need FlashAttention, which CPUs lack: with
another attention the solutions of a row would see each other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.registry import Figure

NAME = "sft_vs_trl"
UPDATES, REPETITIONS = 16, 5


def compare() -> Mapping[str, Figure]:
    import polars as pl

    from benchmarks.models import opened_run
    from benchmarks.training_race import (
        SILENT,
        plain_model,
        race_trainings,
        run_trainer,
        times_faster,
        with_threads,
    )
    from o1_assets.core.artifact import Task
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.engine.open import open_engine
    from o1_assets.generator.sft import encode, make_generator

    with opened_run("base/model", "generator/sft_set") as (profile, folders):
        config, base = profile.sft, folders["base/model"]
        table = pl.read_parquet(folders["generator/sft_set"] / "sft_set.parquet")
        table = table.head(UPDATES * config.batch_size)
        rows = encode(
            load_tokenizer(base), table["question"].to_list(), table["text"].to_list(), config.prompt
        )

        def ours(repetition: int) -> None:
            with tempfile.TemporaryDirectory(prefix="bench-sft-") as folder:
                inputs, out = Path(folder, "sft_set"), Path(folder, "out")
                inputs.mkdir()
                out.mkdir()
                table.write_parquet(inputs / "sft_set.parquet")
                make_generator(Task({"base": base, "sft_set": inputs}, out, repetition, open_engine), config)

        def trl(repetition: int, sampling: str) -> None:
            from datasets import Dataset
            from trl import SFTConfig, SFTTrainer

            with tempfile.TemporaryDirectory(prefix="bench-sft-") as scratch:
                arguments = SFTConfig(
                    output_dir=scratch,
                    num_train_epochs=1,
                    per_device_train_batch_size=config.batch_size,
                    train_sampling_strategy=sampling,
                    learning_rate=config.learning_rate,
                    completion_only_loss=True,
                    max_length=config.max_length,
                    seed=repetition,
                    **SILENT,
                )
                run_trainer(
                    SFTTrainer(
                        model=plain_model(base),
                        args=arguments,
                        train_dataset=Dataset.from_list(rows),
                        processing_class=load_tokenizer(base),
                    )
                )

        def plain(repetition: int) -> None:
            plain_loop(plain_model(base), rows, config.batch_size, config.learning_rate, repetition)

        paces = race_trainings(
            {
                "ours": ours,
                "TRL's SFTTrainer, 2 threads": with_threads(trl, 2, sampling="random"),
                "TRL's SFTTrainer, 1 thread": with_threads(trl, 1, sampling="random"),
                "TRL's SFTTrainer by length, 2 threads": with_threads(trl, 2, sampling="group_by_length"),
                "plain loop, 2 threads": with_threads(plain, 2),
                "plain loop, 1 thread": with_threads(plain, 1),
            },
            REPETITIONS,
        )
    return {
        NAME: times_faster(paces, "ours", "TRL", "at least 2"),
        "sft_vs_plain_loop": times_faster(paces, "ours", "plain", "at least 1"),
    }


def plain_loop(
    model: Any, rows: list[dict[str, Any]], batch_size: int, learning_rate: float, seed: int
) -> None:
    """What one would write by hand: rows in random order, padded on the right, AdamW."""
    import torch

    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=0.0, fused=True)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).tolist()
    for start in range(0, len(order), batch_size):
        batch = [rows[i] for i in order[start : start + batch_size]]
        width = max(len(row["input_ids"]) for row in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for i, row in enumerate(batch):
            tokens, learned = torch.tensor(row["input_ids"]), torch.tensor(row["completion_mask"]) > 0
            ids[i, : len(tokens)], mask[i, : len(tokens)] = tokens, 1
            labels[i, : len(tokens)] = tokens.where(learned, -100)
        model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
