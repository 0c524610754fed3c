"""circle/g0/base, which thinks only when it is told to, and the bases that learn from the generation before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.base.pretrain import Pair, batches, draw_corpus, encode, pretrain, solution_loss
from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_train, non_embedding_parameters
from o1_assets.core.plots import Axis, Series, save_png
from o1_assets.core.tables import read_parquet
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.one_pass import one_pass, smoothed
from o1_assets.experiments.circle.config import WORDS, DirectBaseConfig, NextBaseConfig
from o1_assets.problems.instructions import with_instructions
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.problems.worlds.world import Solved

if TYPE_CHECKING:
    import torch


def make_direct_base(task: Task, config: DirectBaseConfig) -> Outcome:
    """Inputs "test" and "longer": problems that must not occur in the corpus. Writes a checkpoint."""
    base = config.base
    vocabulary = with_instructions(WORLDS[base.world].vocabulary)
    return pretrain(task, base, [told(solved) for solved in draw_corpus(task, base)], vocabulary)


def told(solved: Solved) -> Solved:
    """A worked solution, with the words in front of its question where it is a chain."""
    question, steps = solved
    return (WORDS + question, steps) if len(steps) > 1 else solved


def make_next_base(task: Task, config: NextBaseConfig) -> Outcome:
    """Inputs: base (of the generation before), rows. Writes a checkpoint, trained on the rows without the words.

    STaR and ReST-EM start from the first base each time, against overfitting. Here a generation has other problems than
    the one before, and the first base is far from done: to begin again would forget what it has learnt since.
    """
    import torch

    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer

    model, tokenizer = load_causal_lm(task.inputs["base"]), load_tokenizer(task.inputs["base"])
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    rows = read_parquet(task.inputs["rows"] / "rows.parquet")
    # Written as the corpus is, so that a chain without the words looks to the base like the answers that it knows.
    pairs = encode(
        tokenizer,
        [(q, text.removesuffix("\n").split("\n")) for q, text in rows.select("question", "text").rows()],
    )

    def loss_of(batch: list[Pair], part: list[Pair]) -> torch.Tensor:
        return solution_loss(model, part, sum(len(solution) for _, solution in batch))

    losses = one_pass(
        model,
        [p for p in model.model.layers.parameters() if p.ndim == 2],
        list(batches(pairs, config.batch_size, task.seed)),
        loss_of,
        muon_lr=config.muon_lr,
        adamw_lr=config.adamw_lr,
        warmup=config.warmup,
        max_grad_norm=config.max_grad_norm,
        progress=task.progress,
        checkpoints=Checkpoints.of(task),
    )
    model.save_pretrained(task.out)
    tokenizer.save_pretrained(task.out)
    save_png(
        task.out / "plots" / "learning_curve.png",
        [Series("loss", *smoothed(losses))],
        Axis("Training on the rows of a generation", "update", "loss on solution tokens", percent=False),
    )
    tokens = sum(len(prompt) + len(solution) for prompt, solution in pairs)
    return Outcome(
        {"updates": len(losses), "rows": len(pairs), "loss_first": losses[0], "loss_last": losses[-1]},
        Cost(flops_train(non_embedding_parameters(model), tokens), tokens_trained=tokens),
        len(pairs),
    )
