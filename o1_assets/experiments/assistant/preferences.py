"""assistant/reward: a Bradley-Terry reward model, from rankings of answers.

P(a is better than b) = sigmoid(r(a) - r(b)) (Bradley and Terry 1952). The loss is the mean over all pairs of a ranking,
and a ranking is one element of a batch: as single pairs an epoch would read each answer several times, and overfit
(InstructGPT, arXiv:2203.02155, section 3.5). TRL's RewardTrainer knows pairs only, no packed prefixes, no Muon and no
resume to equal bytes.

Stored as an ORM is: r is the logit of its second class, with mean 0 and standard deviation 1 over the answers that it
was trained on, so that whatever reads an ORM (GRPO, search) reads sigmoid(r).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_train, non_embedding_parameters
from o1_assets.core.plots import Axis, Series, save_png
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.steps import is_blank, separator, split_steps
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.evaluation.statistics import Floats
from o1_assets.experiments.assistant.config import UNRANKED, PreferenceConfig
from o1_assets.experiments.assistant.constitution import pairs
from o1_assets.reward.dataset import Example, draw_order, held_out, step_sequence
from o1_assets.reward.read import place_features, predict, reading_cost
from o1_assets.reward.tree import Row

if TYPE_CHECKING:
    from o1_assets.experiments.assistant.bradley_terry import BradleyTerry


def make_preference_model(task: Task, config: PreferenceConfig) -> Outcome:
    """Inputs "init" (the checkpoint that it begins as), "generator" and "comparisons". Writes a reward model."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.experiments.assistant.bradley_terry import standardise
    from o1_assets.reward.model import save_reward_model
    from o1_assets.reward.score import open_generator

    init = task.inputs["init"]
    table = read_parquet(task.inputs["comparisons"] / "comparisons.parquet")
    tokenizer = load_tokenizer(init)
    examples = [_example(row, tokenizer, config) for row in table.iter_rows(named=True)]
    # A problem is asked in several ways: all of them are on the same side.
    out = [held_out(example.problem_id.partition("-")[0], config.holdout) for example in examples]
    rows = [example.row() for example in examples]
    features = None
    if config.probability_feature:
        generator = open_generator(task.inputs["generator"])
        sequences = [example.sequences for example in examples]
        features = place_features(generator, [row for row, _ in rows], sequences, config.score_tokens)
    train_rows = [i for i, is_out in enumerate(out) if not is_out]
    model, losses, cost = _train(task, config, examples, rows, features, train_rows)
    (of_tokens,) = predict([model], [row for row, _ in rows], features, config.score_tokens)
    rewards = [
        _rewards(example, row, values)
        for example, (row, _), values in zip(examples, rows, of_tokens, strict=True)
    ]
    standardise(model, np.concatenate([rewards[i] for i in train_rows]))
    save_reward_model(model, init, task.out)
    save_png(
        task.out / "plots" / "learning_curve.png",
        [Series("loss", [update for update, _ in losses], [loss for _, loss in losses])],
        Axis("Reward model on rankings", "update", "loss on pairs", percent=False),
    )
    figures: dict[str, float | int | str | None] = {
        "comparisons": len(examples),
        "trained_comparisons": len(train_rows),
        "updates": config.updates,
        "loss_first": losses[0][1],
        "loss_last": losses[-1][1],
    }
    for name, column, side in (
        ("held_out_accuracy", "exact_ranks", True),
        ("held_out_agreement", "ranks", True),
        ("trained_accuracy", "exact_ranks", False),
    ):
        chosen = [i for i, is_out in enumerate(out) if is_out == side]
        ranks = table[column].to_list()
        figures[name] = pair_accuracy([rewards[i] for i in chosen], [ranks[i] for i in chosen])
    tokens = sum(len(row) for row, _ in rows)
    return Outcome(figures, cost + reading_cost(model.backbone, tokens), rows=len(examples))


def _train(
    task: Task,
    config: PreferenceConfig,
    examples: Sequence[Example],
    rows: Sequence[Any],
    features: Any,
    chosen: Sequence[int],
) -> tuple[BradleyTerry, list[tuple[int, float]], Cost]:
    import torch

    from o1_assets.engine.training.tuning import finish, prepare
    from o1_assets.experiments.assistant.bradley_terry import BradleyTerry
    from o1_assets.reward.fit import Item, fit
    from o1_assets.reward.model import ORM_CLASSES, start_reward_model

    torch.manual_seed(derive_seed(task.seed, "head"))
    edges = config.probability_edges if config.probability_feature else None
    started = start_reward_model(
        task.inputs["init"], ORM_CLASSES, edges, config.tuning.weights, config.score_tokens
    )
    model = BradleyTerry(started.backbone)
    prepare(model.backbone, config.tuning, derive_seed(task.seed, "lora"), extra_modules=model.new_modules())
    order = draw_order(
        [0] * len(chosen), [len(rows[i][0]) for i in chosen],
        config.updates, config.batch_size, 1.0, derive_seed(task.seed, "order"),
    )  # fmt: skip
    drawn = [chosen[i] for i in order]
    items: list[Item] = [(*rows[i], features[i] if features else None) for i in drawn]
    losses = fit(model, items, config, derive_seed(task.seed, "fit"), Checkpoints.of(task))
    finish(model.backbone, config.tuning)
    tokens = sum(len(rows[i][0]) for i in drawn)
    size = non_embedding_parameters(model.backbone)
    return (
        model.eval(),
        losses,
        Cost(flops_train(size, tokens, config.tuning.lora is not None), tokens_trained=tokens),
    )


def _example(row: dict[str, Any], tokenizer: Any, config: PreferenceConfig) -> Example:
    """A ranking: each answer is a sequence, whose last step has its rank as the label."""
    prompt = config.prompt.render(row["question"])
    steps = [answer_steps(text, separator(tokenizer)) for text in row["answers"]]
    sequences = tuple(step_sequence(tokenizer, prompt, of_answer) for of_answer in steps)
    labels = tuple(
        (*[UNRANKED] * (len(sequence.ends) - 1), rank)
        for sequence, rank in zip(sequences, row["ranks"], strict=True)
    )
    return Example(row["problem_id"], row["problem_id"], 0, sequences, labels)


def answer_steps(text: str, between: str) -> list[str]:
    return [step for step in split_steps(text, between) if not is_blank(step)]


def _rewards(example: Example, row: Row, probabilities: Floats) -> Floats:
    """r of each answer, (answers,). probabilities: (tokens, 2) of the row."""
    ends = [row.paths[i][sequence.ends[-1]] for i, sequence in enumerate(example.sequences)]
    return np.log(probabilities[ends, 1]) - np.log(probabilities[ends, 0])


def pair_accuracy(rewards: Sequence[Floats], ranks: Sequence[Sequence[int]]) -> float | None:
    """Share of the pairs whose better answer has the higher reward; None without pairs."""
    right = [r[i] > r[j] for r, of in zip(rewards, ranks, strict=True) for i, j in pairs(of)]
    return float(np.mean(right)) if right else None
