"""rNN/prm and rNN/orm: from labels, or outcomes, of all rounds so far to a reward model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Check, CheckContext, Cost, Finding, Outcome, Task
from o1_assets.core.flops import flops_score, flops_train, non_embedding_parameters
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.training.checkpoint import Checkpoints
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
from o1_assets.reward.read import place_features
from o1_assets.reward.tree import Row

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from o1_assets.reward.model import RewardModel


def make_prm(task: Task, config: PRMConfig) -> Outcome:
    """Inputs: generator (for the feature), init (generator, or the PRM before), labels_00, labels_01, ..."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import PRM_CLASSES

    tokenizer = load_tokenizer(task.inputs["init"])
    examples: list[Example] = []
    for number, folder in enumerate(round_folders(task.inputs, "labels")):
        labels = pl.read_parquet(folder / "labels.parquet")
        examples += prm_examples(labels, tokenizer, config.prompt, number)
    return _train(task, config, examples, PRM_CLASSES)


def make_orm(task: Task, config: ORMConfig) -> Outcome:
    """Inputs: generator, init, train (for the questions), solutions_00, ...: uniform samples with `correct`."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import ORM_CLASSES

    tokenizer = load_tokenizer(task.inputs["init"])
    problems = pl.read_parquet(task.inputs["train"] / "problems.parquet")
    questions = dict(problems.select("problem_id", "question").iter_rows())
    examples: list[Example] = []
    for number, folder in enumerate(round_folders(task.inputs, "solutions")):
        solutions = pl.read_parquet(folder / "solutions.parquet").sort("solution_id")
        if config.solutions is not None and config.solutions < solutions.height:
            solutions = solutions.sample(config.solutions, seed=derive_seed(task.seed, "solutions", number))
        examples += orm_examples(solutions, questions, tokenizer, config.prompt, config.every_step, number)
    return _train(task, config, examples, ORM_CLASSES)


@dataclass
class Material:
    """Examples as rows of tokens, the class of each token, and each token's feature (or None)."""

    examples: list[Example]
    rows: list[Row]
    labels: list[NDArray[np.int64]]
    features: list[NDArray[np.float32]] | None

    def tokens(self, indices: Sequence[int]) -> int:
        return sum(len(self.rows[i]) for i in indices)


def _train(
    task: Task, config: RewardModelConfig, examples: list[Example], classes: tuple[str, ...]
) -> Outcome:
    import torch

    from o1_assets.engine.training.tuning import finish, prepare
    from o1_assets.reward.fit import fit
    from o1_assets.reward.model import save_reward_model, start_reward_model

    material, cost = _prepare(task, config, examples)
    judged = [i for i, e in enumerate(examples) if held_out(e.problem_id, config.holdout)]
    trained = sorted(set(range(len(examples))) - set(judged))
    counts = class_counts([material.labels[i] for i in trained], len(classes))

    torch.manual_seed(derive_seed(task.seed, "head"))
    model = start_reward_model(
        task.inputs["init"],
        classes,
        config.probability_edges if config.probability_feature else None,
        config.tuning.weights,
    )
    prepare(model.backbone, config.tuning, derive_seed(task.seed, "lora"), also=model.new_modules())
    model.class_weights = torch.tensor(class_weights(counts, config.class_balance), dtype=torch.float32)
    order = draw_order(
        [examples[i].round for i in trained], [len(material.rows[i]) for i in trained],
        config.updates, config.batch_size, config.newest_share, derive_seed(task.seed, "order"),
    )  # fmt: skip
    drawn = [trained[i] for i in order]
    features = material.features
    items = [(material.rows[i], material.labels[i], features[i] if features else None) for i in drawn]
    history = fit(model, items, config, derive_seed(task.seed, "fit"), task.progress, Checkpoints.of(task))
    finish(model.backbone, config.tuning)
    save_reward_model(model, task.inputs["init"], task.out)
    _plot(task.out, history)

    size = non_embedding_parameters(model.backbone)
    seen, looked = material.tokens(drawn), material.tokens(judged)
    cost += Cost(flops=flops_train(size, seen, config.tuning.lora is not None), tokens_trained=seen)
    cost += Cost(flops=flops_score(size, looked), tokens_scored=looked)
    return Outcome(
        figures={
            "solutions": len(examples),
            "trained_solutions": len(trained),
            "rounds": len({e.round for e in examples}),
            **{f"labels_{name}": counts[i] for i, name in enumerate(classes)},
            "updates": config.updates,
            "epochs": len(drawn) / len(trained),
            "loss_first": history[0][1],
            "loss_last": history[-1][1],
            **_judge(model, material, judged, classes, config.score_tokens),
        },
        cost=cost,
        rows=len(examples),
    )


def _prepare(task: Task, config: RewardModelConfig, examples: list[Example]) -> tuple[Material, Cost]:
    """Rows and labels, and the pass of the generator over them if the feature is on."""
    from o1_assets.engine.checkpoint import load_causal_lm
    from o1_assets.reward.read import place_features

    trees = [example.row() for example in examples]
    material = Material(examples, [row for row, _ in trees], [labels for _, labels in trees], None)
    if not config.probability_feature:
        return material, Cost()
    generator = load_causal_lm(task.inputs["generator"], attn_implementation="sdpa").eval()
    sequences = [example.sequences for example in examples]
    material.features = place_features(generator, material.rows, sequences, config.score_tokens)
    tokens = material.tokens(range(len(examples)))
    return material, Cost(flops_score(non_embedding_parameters(generator), tokens), tokens_scored=tokens)


def _judge(
    model: RewardModel, material: Material, judged: Sequence[int], classes: tuple[str, ...], batch_tokens: int
) -> dict[str, float | int | None]:
    """Figures on the labelled tokens of the held-out examples."""
    from o1_assets.reward.read import predict

    features = [material.features[i] for i in judged] if material.features else None
    (found,) = predict([model], [material.rows[i] for i in judged], features, batch_tokens)
    probabilities, truth = [np.zeros((0, len(classes)))], [np.zeros(0, dtype=np.int64)]
    for i, of_tokens in zip(judged, found, strict=True):
        labelled = material.labels[i] != IGNORED
        probabilities.append(of_tokens[labelled])
        truth.append(material.labels[i][labelled])
    return classification_figures(np.concatenate(probabilities), np.concatenate(truth), classes)


def class_counts(labels: Sequence[NDArray[np.int64]], classes: int) -> list[int]:
    """How many tokens are labelled with each class."""
    together = np.concatenate([np.zeros(0, dtype=np.int64), *labels])
    return [int(n) for n in np.bincount(together[together != IGNORED], minlength=classes)]


def class_weights(counts: Sequence[int], balance: float) -> list[float]:
    """count ** -balance for each class, scaled so that the mean weight of a label is 1; 0 for an absent class.

    Sparse labels hold one negative a solution: unweighted, a model that calls everything right does well, and
    fully balanced, it cries wolf, which a product over steps punishes in long solutions.
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


# One training of a PRM that is judged and then forgotten.


def material(examples: list[Example], generator: PreTrainedModel, config: PRMConfig) -> Material:
    """Examples as rows, with what the generator thought of their steps if the PRM reads that."""
    trees = [example.row() for example in examples]
    made = Material(examples, [row for row, _ in trees], [labels for _, labels in trees], None)
    if config.probability_feature:
        sequences = [example.sequences for example in examples]
        made.features = place_features(generator, made.rows, sequences, config.score_tokens)
    return made


def together(parts: Sequence[Material]) -> Material:
    """All examples, those of the first part first."""
    features = [f for part in parts for f in part.features or ()]
    return Material(
        [e for part in parts for e in part.examples],
        [r for part in parts for r in part.rows],
        [own for part in parts for own in part.labels],
        features or None,
    )


def train_prm(
    init: Path,
    learnt: Material,
    config: PRMConfig,
    seed: int,
    progress: Callable[[str], None] = lambda line: None,
    unfinished: Path | None = None,
) -> tuple[RewardModel, Cost]:
    """As `reward.train.make_prm`, on all examples: what judges here are other problems altogether.

    unfinished: where the state of a killed training is kept.
    """
    import torch

    from o1_assets.engine.training.tuning import finish, prepare
    from o1_assets.reward.fit import fit
    from o1_assets.reward.model import PRM_CLASSES, start_reward_model

    torch.manual_seed(derive_seed(seed, "head"))
    edges = config.probability_edges if config.probability_feature else None
    model = start_reward_model(init, PRM_CLASSES, edges, config.tuning.weights)
    prepare(model.backbone, config.tuning, derive_seed(seed, "lora"), also=model.new_modules())
    counts = class_counts(learnt.labels, len(PRM_CLASSES))
    model.class_weights = torch.tensor(class_weights(counts, config.class_balance), dtype=torch.float32)
    order = draw_order(
        [example.round for example in learnt.examples], [len(row) for row in learnt.rows],
        config.updates, config.batch_size, config.newest_share, derive_seed(seed, "order"),
    )  # fmt: skip
    features = learnt.features
    items = [(learnt.rows[i], learnt.labels[i], features[i] if features else None) for i in order]
    fit(model, items, config, derive_seed(seed, "fit"), progress, Checkpoints(unfinished, progress))
    finish(model.backbone, config.tuning)
    size, seen = non_embedding_parameters(model.backbone), learnt.tokens(order)
    return model, Cost(flops_train(size, seen, config.tuning.lora is not None), tokens_trained=seen)


def reading(model: PreTrainedModel, tokens: int) -> Cost:
    """What it costs to score so many tokens."""
    size = non_embedding_parameters(model)
    return Cost(flops_score(size, tokens), tokens_scored=tokens)


# How good a reward model is on labels it was not trained on.


def classification_figures(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], classes: tuple[str, ...]
) -> dict[str, float | int | None]:
    """probabilities (m, classes), labels (m,): accuracy, recall of each class, their mean, AUC and loss.

    auc: how often a label that is not of class 0 (negative, wrong) is given a smaller P(class 0) than one
    that is, ties half. None for what cannot be said without labels of a class.
    """
    figures: dict[str, float | int | None] = {"held_out_labels": len(labels)}
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
    """P(score of a right one > score of a wrong one), ties half; None without one of each."""
    ours, others = scores[right], np.sort(scores[~right])
    if not len(ours) or not len(others):
        return None
    below = np.searchsorted(others, ours, "left") + np.searchsorted(others, ours, "right")
    return float(below.mean() / (2 * len(others)))


CHANCE = 0.5


def _better_than_chance(context: CheckContext) -> Finding:
    area = context.figures.get("held_out_auc")
    if not isinstance(area, float):
        return Finding(False, "no held-out labels of both kinds to judge it by")
    return Finding(
        area > CHANCE, f"area under the ROC curve {area:.3f} on held-out labels", {"held_out_auc": area}
    )


PRM_CHECKS = (
    Check(
        "better_than_chance",
        "On held-out labels, a step that is not negative scores higher than a negative one more often than not.",
        _better_than_chance,
        serious=False,
    ),
)
