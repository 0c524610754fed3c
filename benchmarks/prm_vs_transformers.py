"""Training of a PRM: ours against transformers' Trainer and a plain loop; the same model, labels and batches.

TRL 1.16 has no PRMTrainer any more. The others read what its PRMTrainer read: the solution and each labelled
alternative as a text of its own, with a class at the last token of each labelled step, padded to the longest of the
batch, by transformers' LlamaForTokenClassification. Batches are ours: the same solutions, of similar lengths. For the
comparison ours goes without Muon and without the probability feature, which the others do not have; a second figure
has both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.registry import Figure

if TYPE_CHECKING:
    from o1_assets.reward.dataset import Example

NAME = "prm_vs_transformers"
UPDATES, REPETITIONS = 10, 5


def compare() -> Mapping[str, Figure]:
    import polars as pl

    from benchmarks.models import opened_run
    from benchmarks.training_race import race_trainings, times_faster, with_threads
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.engine.training.checkpoint import Checkpoints
    from o1_assets.reward.dataset import draw_order, prm_examples
    from o1_assets.reward.model import PRM_CLASSES, start_reward_model
    from o1_assets.reward.score import open_generator
    from o1_assets.reward.train import pack_examples, train_reward_model

    with opened_run("base/verifier", "generator/model", "r00/labels") as (profile, folders):
        start, nano = folders["base/verifier"], profile.first_prm.model_copy(update={"updates": UPDATES})
        bare = nano.model_copy(update={"optimizer": "adamw", "probability_feature": False})
        labels = pl.read_parquet(folders["r00/labels"] / "labels.parquet")
        examples = prm_examples(labels, load_tokenizer(start), profile.prompt)
        packed = {
            config: pack_examples(examples, generator, config)
            for config, generator in ((bare, None), (nano, open_generator(folders["generator/model"])))
        }
        order = draw_order(
            [0] * len(examples),
            [len(row) for row in packed[bare].rows],
            UPDATES,
            bare.batch_size,
            1.0,
            seed=1,
        )
        drawn = [examples[i] for i in order]

        def ours(config: Any) -> Any:
            def train(repetition: int) -> None:
                train_reward_model(start, packed[config], PRM_CLASSES, config, repetition, Checkpoints())

            return train

        def model() -> Any:
            return start_reward_model(start, PRM_CLASSES, None).backbone

        def trainer(repetition: int) -> None:
            with tempfile.TemporaryDirectory(prefix="bench-prm-") as scratch:
                train_with_trainer(model(), drawn, bare, Path(scratch), repetition)

        def plain(repetition: int) -> None:
            plain_loop(model(), drawn, bare)

        paces = race_trainings(
            {
                "ours": ours(bare),
                "ours with Muon and the feature": ours(nano),
                "transformers' Trainer, 2 threads": with_threads(trainer, 2),
                "transformers' Trainer, 1 thread": with_threads(trainer, 1),
                "plain loop, 2 threads": with_threads(plain, 2),
                "plain loop, 1 thread": with_threads(plain, 1),
            },
            REPETITIONS,
        )
    return {
        NAME: times_faster(paces, "ours", "transformers", "at least 2"),
        f"{NAME}_with_muon": times_faster(
            paces, "ours with Muon and the feature", "transformers", "at least 2"
        ),
        "prm_vs_plain_loop": times_faster(paces, "ours", "plain", "at least 1"),
    }


def texts(examples: Sequence[Example]) -> tuple[Any, Any, Any]:
    """Every sequence of the examples as a row: ids, mask and labels, all (rows, longest); no label is -100."""
    import torch

    pairs = [
        (sequence, classes)
        for example in examples
        for sequence, classes in zip(example.sequences, example.labels, strict=True)
    ]
    shape = len(pairs), max(len(sequence.tokens) for sequence, _ in pairs)
    ids, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, -100)
    for row, (sequence, classes) in enumerate(pairs):
        length = len(sequence.tokens)
        ids[row, :length], mask[row, :length] = torch.tensor(sequence.tokens), 1
        labels[row, list(sequence.ends)] = torch.tensor(classes)
    return ids, mask, labels


def train_with_trainer(model: Any, drawn: Sequence[Example], config: Any, scratch: Path, seed: int) -> None:
    from transformers import Trainer, TrainingArguments

    from benchmarks.training_race import SILENT, run_trainer

    def collate(examples: Sequence[Example]) -> dict[str, Any]:
        ids, mask, labels = texts(examples)
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    arguments = TrainingArguments(
        output_dir=str(scratch),
        max_steps=len(drawn) // config.batch_size,
        per_device_train_batch_size=config.batch_size,
        train_sampling_strategy="sequential",
        learning_rate=config.adamw_lr,
        seed=seed,
        remove_unused_columns=False,
        **SILENT,
    )
    run_trainer(Trainer(model=model, args=arguments, train_dataset=list(drawn), data_collator=collate))


def plain_loop(model: Any, drawn: Sequence[Example], config: Any) -> None:
    """What one would write by hand."""
    import torch

    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), config.adamw_lr, weight_decay=0.0, fused=True)
    for start in range(0, len(drawn), config.batch_size):
        ids, mask, labels = texts(drawn[start : start + config.batch_size])
        model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
