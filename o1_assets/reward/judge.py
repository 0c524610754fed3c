"""How a reward model does on labels it was not trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
