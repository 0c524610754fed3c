"""rNN/prm and rNN/orm: reward models, trained on the labels (or outcomes) of all rounds so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from o1_assets.core.artifact import Check, CheckContext, Cost, Figures, Finding, Outcome, Task
from o1_assets.core.flops import flops_train, non_embedding_parameters
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.lengths import fitting
from o1_assets.labels.written import read_written
from o1_assets.problems.solutions import uniform_samples
from o1_assets.reward.config import ORMConfig, PRMConfig, RewardModelConfig
from o1_assets.reward.dataset import (
    IGNORED,
    Example,
    draw_order,
    held_out,
    orm_examples,
    prm_examples,
    round_folders,
)
from o1_assets.reward.read import place_features, predict, reading_cost
from o1_assets.reward.tree import Row

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from o1_assets.reward.model import RewardModel


def make_prm(task: Task, config: PRMConfig) -> Outcome:
    """Inputs: generator (for the feature), init (verifier, generator or PRM before), labels_00, ..."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import PRM_CLASSES

    tokenizer = load_tokenizer(task.inputs["init"])
    examples: list[Example] = []
    for number, folder in enumerate(round_folders(task.inputs, "labels")):
        labels = read_parquet(folder / "labels.parquet")
        written = read_written(folder) if config.written_positive else None
        examples += prm_examples(labels, tokenizer, config.prompt, number, written)
    return _make(task, config, examples, PRM_CLASSES, tokenizer.model_max_length)


def make_orm(task: Task, config: ORMConfig) -> Outcome:
    """Inputs: generator, init, train (for the questions), solutions_00, ...: uniform samples with `correct`."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import ORM_CLASSES

    tokenizer = load_tokenizer(task.inputs["init"])
    problems = read_parquet(task.inputs["train"] / "problems.parquet")
    questions = dict(problems.select("problem_id", "question").iter_rows())
    examples: list[Example] = []
    for number, folder in enumerate(round_folders(task.inputs, "solutions")):
        # Solutions that a search chose would teach the ORM the choice's share of right answers. Sorted, so that the
        # draw depends on the solutions and not on the order they were written in.
        solutions = uniform_samples(read_parquet(folder / "solutions.parquet")).sort("solution_id")
        if config.solutions is not None and config.solutions < solutions.height:
            solutions = solutions.sample(config.solutions, seed=derive_seed(task.seed, "solutions", number))
        examples += orm_examples(solutions, questions, tokenizer, config.prompt, config.every_step, number)
    return _make(task, config, examples, ORM_CLASSES, tokenizer.model_max_length)


@dataclass(frozen=True)
class PackedExamples:
    """Examples as rows of tokens.

    labels: for each row (n,), the class of each token, IGNORED where there is none. features: for each row (n,), what
    the generator thought of each step (`read.place_features`); None where the model does not read it.
    """

    examples: Sequence[Example]
    rows: Sequence[Row]
    labels: Sequence[NDArray[np.int64]]
    features: Sequence[NDArray[np.float32]] | None

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def tokens(self) -> int:
        return sum(len(row) for row in self.rows)

    def subset(self, indices: Sequence[int]) -> PackedExamples:
        """The examples at these indices, in their order; an index may occur more than once."""
        return PackedExamples(
            [self.examples[i] for i in indices],
            [self.rows[i] for i in indices],
            [self.labels[i] for i in indices],
            None if self.features is None else [self.features[i] for i in indices],
        )

    @classmethod
    def concat(cls, parts: Sequence[PackedExamples]) -> PackedExamples:
        """All examples, those of the first part first."""
        return cls(
            [example for part in parts for example in part.examples],
            [row for part in parts for row in part.rows],
            [labels for part in parts for labels in part.labels],
            [feature for part in parts for feature in part.features or ()] or None,
        )


def pack_examples(
    examples: Sequence[Example], generator: PreTrainedModel | None, config: RewardModelConfig
) -> PackedExamples:
    """One row for each example. The generator reads all of them if the model has the probability feature."""
    trees = [example.row() for example in examples]
    rows, labels = [row for row, _ in trees], [classes for _, classes in trees]
    features = None
    if generator is not None and config.probability_feature:
        sequences = [example.sequences for example in examples]
        features = place_features(generator, rows, sequences, config.score_tokens)
    return PackedExamples(examples, rows, labels, features)


def train_reward_model(
    init: Path,
    train_set: PackedExamples,
    classes: tuple[str, ...],
    config: RewardModelConfig,
    seed: int,
    checkpoints: Checkpoints,
) -> tuple[RewardModel, list[tuple[int, float]], Cost]:
    """A reward model trained on all examples of `train_set`, from a causal checkpoint or a reward model.

    Returns it in evaluation mode, its losses (update, mean since the last) and what the training cost.
    """
    import torch

    from o1_assets.engine.training.tuning import finish, prepare
    from o1_assets.reward.fit import fit
    from o1_assets.reward.model import start_reward_model

    # The head of a new model is drawn from torch's global generator, the order and the LoRA matrices are not: each
    # has a seed of its own, so that leaving one draw out does not shift the others.
    torch.manual_seed(derive_seed(seed, "head"))
    edges = config.probability_edges if config.probability_feature else None
    model = start_reward_model(init, classes, edges, config.tuning.weights, config.score_tokens)
    prepare(model.backbone, config.tuning, derive_seed(seed, "lora"), extra_modules=model.new_modules())
    counts = class_counts(train_set.labels, len(classes))
    model.class_weights = torch.tensor(class_weights(counts, config.class_balance), dtype=torch.float32)
    order = draw_order(
        [example.round for example in train_set.examples], [len(row) for row in train_set.rows],
        config.updates, config.batch_size, config.newest_share, derive_seed(seed, "order"),
    )  # fmt: skip
    drawn = train_set.subset(order)
    features = drawn.features
    items = [
        (row, labels, features[i] if features else None)
        for i, (row, labels) in enumerate(zip(drawn.rows, drawn.labels, strict=True))
    ]
    losses = fit(model, items, config, derive_seed(seed, "fit"), checkpoints)
    finish(model.backbone, config.tuning)
    size = non_embedding_parameters(model.backbone)
    flops = flops_train(size, drawn.tokens, config.tuning.lora is not None)
    return model, losses, Cost(flops, tokens_trained=drawn.tokens)


def _make(
    task: Task, config: RewardModelConfig, labelled: list[Example], classes: tuple[str, ...], limit: int
) -> Outcome:
    """Trains on the problems that are not held out, measures on those that are, and writes the model.

    limit: tokens of the longest sequence that the model reads.
    """
    from o1_assets.reward.model import save_reward_model
    from o1_assets.reward.score import open_generator

    lengths = [max(len(sequence.tokens) for sequence in example.sequences) for example in labelled]
    fits = fitting(lengths, limit, "labelled solutions", "base.max_positions", task.progress)
    examples = [labelled[i] for i in fits]
    generator = open_generator(task.inputs["generator"]) if config.probability_feature else None
    packed = pack_examples(examples, generator, config)
    cost = reading_cost(generator, packed.tokens) if generator is not None else Cost()
    del generator  # on a GPU the training needs its memory
    is_held_out = [held_out(example.problem_id, config.holdout) for example in examples]
    train_set = packed.subset([i for i, is_out in enumerate(is_held_out) if not is_out])
    test_set = packed.subset([i for i, is_out in enumerate(is_held_out) if is_out])
    model, losses, training = train_reward_model(
        task.inputs["init"], train_set, classes, config, task.seed, Checkpoints.of(task)
    )
    save_reward_model(model, task.inputs["init"], task.out)
    _plot(task.out, losses)
    counts = class_counts(train_set.labels, len(classes))
    return Outcome(
        figures={
            "solutions": len(examples),
            "too_long": len(labelled) - len(examples),
            "trained_solutions": len(train_set),
            "rounds": len({example.round for example in examples}),
            **{f"labels_{name}": counts[i] for i, name in enumerate(classes)},
            "updates": config.updates,
            "epochs": config.updates * config.batch_size / len(train_set),
            "loss_first": losses[0][1],
            "loss_last": losses[-1][1],
            **_evaluate(model, test_set, classes, config.score_tokens),
        },
        cost=cost + training + reading_cost(model.backbone, test_set.tokens),
        rows=len(examples),
    )


def _evaluate(
    model: RewardModel, test_set: PackedExamples, classes: tuple[str, ...], batch_tokens: int
) -> Figures:
    """Figures on the labelled tokens of the held-out examples."""
    (of_rows,) = predict([model], test_set.rows, test_set.features, batch_tokens)
    probabilities, truth = [np.zeros((0, len(classes)))], [np.zeros(0, dtype=np.int64)]
    for labels, of_tokens in zip(test_set.labels, of_rows, strict=True):
        labelled = labels != IGNORED  # (n,)
        probabilities.append(of_tokens[labelled])
        truth.append(labels[labelled])
    return classification_figures(np.concatenate(probabilities), np.concatenate(truth), classes)


def class_counts(labels: Sequence[NDArray[np.int64]], classes: int) -> list[int]:
    """How many tokens are labelled with each class."""
    of_tokens = np.concatenate([np.zeros(0, dtype=np.int64), *labels])
    return [int(n) for n in np.bincount(of_tokens[of_tokens != IGNORED], minlength=classes)]


def class_weights(counts: Sequence[int], balance: float) -> list[float]:
    """count ** -balance for each class, scaled so that the mean weight of a label is 1; 0 for an absent class.

    Sparse labels hold one negative a solution. Without weights, a model that calls everything right does well; with
    full balance there are many false alarms, for which the product over steps punishes long solutions.
    """
    raw = [n**-balance if n else 0.0 for n in counts]
    total = sum(n * w for n, w in zip(counts, raw, strict=True))
    return [w * sum(counts) / total if total else 0.0 for w in raw]


def _plot(folder: Path, history: Sequence[tuple[int, float]]) -> None:
    from o1_assets.core.plots import Axis, Series, save_png

    updates, losses = zip(*history, strict=True)
    save_png(
        folder / "plots" / "learning_curve.png",
        [Series("loss", updates, losses)],
        Axis("Reward model on its labels", "update", "loss on labelled steps", percent=False),
    )


# How good a reward model is on labels it was not trained on.


def classification_figures(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], classes: tuple[str, ...]
) -> Figures:
    """probabilities (m, classes), labels (m,): accuracy, recall of each class, their mean, AUC and loss.

    auc: how often a label that is not of class 0 (negative, wrong) is given a smaller P(class 0) than one that is; ties
    count half. A figure is None if there are no labels to compute it from.
    """
    figures: Figures = {"held_out_labels": len(labels)}
    guesses = probabilities.argmax(-1) if len(labels) else labels
    hits = guesses == labels
    figures["held_out_accuracy"] = float(hits.mean()) if len(labels) else None
    recalls = {name: float(hits[labels == i].mean()) for i, name in enumerate(classes) if (labels == i).any()}
    figures["held_out_balanced_accuracy"] = float(np.mean(list(recalls.values()))) if recalls else None
    for name in classes:
        figures[f"held_out_recall_{name}"] = recalls.get(name)
    figures["held_out_auc"] = area_under_curve(1 - probabilities[:, 0], labels > 0) if len(labels) else None
    if len(labels):
        chosen = probabilities[np.arange(len(labels)), labels]
        figures["held_out_loss"] = float(-np.log(np.maximum(chosen, 1e-12)).mean())
    else:
        figures["held_out_loss"] = None
    return figures


def area_under_curve(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """P(score of a right one > score of a wrong one); ties count half. None without one of each."""
    of_right, of_wrong = scores[right], np.sort(scores[~right])
    if not len(of_right) or not len(of_wrong):
        return None
    # For each right one twice the number of wrong ones below it, where "left" leaves ties out and "right" counts them.
    below = np.searchsorted(of_wrong, of_right, "left") + np.searchsorted(of_wrong, of_right, "right")
    return float(below.mean() / (2 * len(of_wrong)))


def _better_than_chance(context: CheckContext) -> Finding:
    area = context.figures.get("held_out_auc")
    if not isinstance(area, float):
        return Finding(False, "no held-out labels of both kinds to judge it by")
    return Finding(
        area > 0.5, f"area under the ROC curve {area:.3f} on held-out labels", {"held_out_auc": area}
    )


PRM_CHECKS = (
    Check(
        "better_than_chance",
        "On held-out labels, a step that is not negative scores higher than a negative one more often than not.",
        _better_than_chance,
        serious=False,
    ),
)
