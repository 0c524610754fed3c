"""Platt scaling: a temperature and a shift for the logits of a chance, fitted where the model was not trained.

Guo et al. 2017 (arXiv:1706.04599), section 4.1; with a shift because targets that are the best of several next steps
(Q-learning) are higher than what the policy reaches by itself, for every step alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from o1_assets.reward.model import RewardModel


Floats = NDArray[np.float64]


RIDGE = 1e-3
"""A pull towards leaving things as they are, for sets in which everything is right or wrong."""


CERTAIN = 1e-6


@dataclass(frozen=True)
class Scaling:
    """logit -> slope * logit + shift. A temperature is 1 / slope."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, chances: Floats) -> Floats:
        return _chance(self.slope * _logit(chances) + self.shift)


def fit_scaling(predicted: Floats, happened: Floats, weight: Floats, steps: int = 50) -> Scaling:
    """The least cross-entropy of `happened`, shares of `weight` outcomes each, by Newton's method.

    All are [predictions]. Without predictions nothing is changed.
    """
    total = float(weight.sum())
    if not total:
        return Scaling()
    x = np.stack([_logit(predicted), np.ones(len(predicted))], axis=1)
    share, start = weight / total, np.array([1.0, 0.0])
    found = start.copy()
    for _ in range(steps):
        chance = _chance(x @ found)
        gradient = x.T @ (share * (chance - happened)) + RIDGE * (found - start)
        curvature = (x * (share * chance * (1 - chance))[:, None]).T @ x + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        found -= np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return Scaling(float(max(found[0], 1e-3)), float(found[1]))


def scale(model: RewardModel, scaling: Scaling) -> None:
    """Puts it into the weights of the head, so that whoever opens the model reads calibrated chances.

    model: of two classes, with a linear head, whose second logit minus the first is the chance's logit.
    """
    import torch

    head = model.backbone.get_submodule("score")
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(scaling.slope)
        bias = head.get_parameter("bias")
        bias[0] -= scaling.shift / 2
        bias[1] += scaling.shift / 2


def _logit(chances: Floats) -> Floats:
    inside = np.clip(chances, CERTAIN, 1 - CERTAIN)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _chance(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -40, 40))))


# Whether a predicted chance comes true: reliability by bins, its expected error, the Brier score.


def calibration(predicted: Floats, happened: Floats, weight: Floats, bins: int) -> pl.DataFrame:
    """A row a bin of equal width that is not empty: predicted, happened (weighted means), weight.

    predicted, happened, weight: [predictions]; happened is the share of solutions that ended right, weight their
    number.
    """
    at = np.minimum((predicted * bins).astype(int), bins - 1)
    rows = []
    for b in range(bins):
        own = at == b
        if weight[own].sum():
            rows.append(
                {
                    "predicted": float(np.average(predicted[own], weights=weight[own])),
                    "happened": float(np.average(happened[own], weights=weight[own])),
                    "weight": float(weight[own].sum()),
                }
            )
    return pl.DataFrame(rows, schema={"predicted": pl.Float64, "happened": pl.Float64, "weight": pl.Float64})


def calibration_error(table: pl.DataFrame) -> float | None:
    """Expected calibration error (Naeini et al. 2015): the bins' |predicted - happened|, by weight."""
    if not table.height:
        return None
    predicted, happened, weight = (table[name].to_numpy() for name in table.columns)
    return float(np.average(np.abs(predicted - happened), weights=weight))


def brier_score(predicted: Floats, happened: Floats, weight: Floats) -> float | None:
    """Mean squared error against the single outcomes, of which `happened` is the mean of `weight` many."""
    if not weight.sum():
        return None
    within = happened * (1 - happened)
    return float(np.average((predicted - happened) ** 2 + within, weights=weight))
