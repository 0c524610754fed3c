"""generator/model (GPT*): the base after one epoch on its own correct solutions, with TRL's SFTTrainer.

As in Lightman et al. 2023 (section 2.4) it teaches the format, one step a line, and not the skill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_train, non_embedding_parameters
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.lengths import fitting
from o1_assets.generator.config import SftConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def make_generator(task: Task, config: SftConfig) -> Outcome:
    """Inputs "base" and "sft_set"; writes a Hugging Face checkpoint. Raises TooLong if no solution fits."""
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from o1_assets.core.plots import Axis, Series, save_png
    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer
    from o1_assets.engine.training.processes import disable_data_parallel, processes, shared_arguments
    from o1_assets.engine.training.trainer import KeepState
    from o1_assets.engine.training.tuning import finish, pieces, prepare, trainer_arguments

    gpu = torch.cuda.is_available()
    model = load_causal_lm(task.inputs["base"], config.tuning.weights)
    prepare(model, config.tuning, derive_seed(task.seed, "lora"))
    tokenizer = load_tokenizer(task.inputs["base"])
    sft_set = read_parquet(task.inputs["sft_set"] / "sft_set.parquet")
    encoded = encode(tokenizer, sft_set["question"].to_list(), sft_set["text"].to_list(), config.prompt)
    lengths = [len(row["input_ids"]) for row in encoded]
    rows = [
        encoded[i] for i in fitting(lengths, config.max_length, "solutions", "sft.max_length", task.progress)
    ]
    task.progress(f"{len(rows)} solutions")
    # What processes that share a batch pad it to, so that all of them compute on equal shapes.
    longest = max(len(row["input_ids"]) for row in rows)
    cut = pieces(config.batch_size, config.tuning)
    keep = KeepState(Checkpoints.of(task), after_log=True)
    with keep.checkpoints.scratch() as scratch:
        trainer = SFTTrainer(
            model=model,
            args=disable_data_parallel(
                SFTConfig(
                    output_dir=str(scratch),
                    num_train_epochs=1,
                    # A batch goes through the model in `cut` equal pieces, whose gradients add up to its own.
                    per_device_train_batch_size=config.batch_size // cut,
                    gradient_accumulation_steps=cut,
                    learning_rate=config.learning_rate,
                    lr_scheduler_type="linear",
                    warmup_steps=config.warmup_ratio,  # below 1 it is a share of the updates
                    completion_only_loss=True,
                    max_length=config.max_length,
                    seed=task.seed % 2**32,  # numpy takes no larger one
                    use_cpu=not gpu,
                    **trainer_arguments(config.tuning),
                    logging_steps=1,
                    save_strategy="no",  # KeepState saves, into the folder that outlives a kill
                    report_to="none",
                    disable_tqdm=True,
                    **shared_arguments(split=True),
                    pad_to_multiple_of=longest if processes() > 1 else None,
                )
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[keep],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=keep.resume_from(scratch))
        losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    finish(model.eval(), config.tuning)
    model.save_pretrained(task.out)
    tokenizer.save_pretrained(task.out)
    save_png(
        task.out / "plots" / "learning_curve.png",
        [Series("loss", range(1, len(losses) + 1), losses)],
        Axis(
            "One epoch on the base's own correct solutions",
            "update",
            "loss on solution tokens",
            percent=False,
        ),
    )
    # One epoch: every token once, the prompts' too, which are computed although they have no loss.
    tokens = sum(len(row["input_ids"]) for row in rows)
    return Outcome(
        figures={
            "solutions": len(rows),
            "too_long": len(encoded) - len(rows),
            "updates": len(losses),
            "loss_first": losses[0],
            "loss_last": losses[-1],
        },
        cost=Cost(
            flops=flops_train(non_embedding_parameters(model), tokens, config.tuning.lora is not None),
            tokens_trained=tokens,
        ),
        rows=len(rows),
    )


def encode(
    tokenizer: PreTrainedTokenizerBase, questions: list[str], texts: list[str], prompt: PromptFormat
) -> list[dict[str, Any]]:
    """Rows as SFTTrainer takes them: input_ids, and completion_mask, which is 1 on the solution and its end token."""
    # Prompt and solution are tokenized apart, as the sampler will see them: encoded together, a token could span both.
    # The end token is added here, because what trainers add depends on the tokenizer.
    prompts = prompt.encode(tokenizer, questions)
    solutions = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rows = []
    for asked, solution in zip(prompts, solutions, strict=True):
        completion = [*solution, tokenizer.eos_token_id]
        rows.append(
            {
                "input_ids": [*asked, *completion],
                # Both (tokens,): the loss is of the solution only.
                "completion_mask": [0] * len(asked) + [1] * len(completion),
            }
        )
    return rows
