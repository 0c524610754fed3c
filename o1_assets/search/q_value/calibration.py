"""Makes the chances of a Q-value model come true, and measures whether they do, on problems it was not trained on.

Platt scaling: a temperature (Guo et al. 2017, arXiv:1706.04599, section 4.1) and a shift of the logits. The shift is
there because targets that are the best of several next steps (Q-learning) are higher than what the policy reaches by
itself, for every step alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Figures, Task
from o1_assets.search.q_value.config import QValueConfig
from o1_assets.search.q_value.solved import Solved, returns

if TYPE_CHECKING:
    from o1_assets.reward.model import RewardModel

Floats = NDArray[np.float64]

# A pull towards no change, for sets in which every solution is right, or none: there the best slope is infinite.
RIDGE = 1e-3

# Chances closer to 0 or 1 than this are moved here before their logit is taken.
CERTAIN = 1e-6
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def _chain_steps(
    values: Sequence[Mapping[int, float]], solved: Sequence[Solved], which: Sequence[int]
) -> tuple[Floats, Floats, Floats]:
    """For every step of these trees' chains: predicted, happened, weight, each (steps,).

    That is the chance by the model, the share of the policy's solutions through that step that ended right, and the
    number of these solutions.
    """
    rows = [
        (values[i][node], outcome.mean, outcome.ends)
        for i in which
        if not solved[i].searched  # a search chose its steps, so its shares are not those of the policy
        for node, outcome in returns(solved[i]).items()
        if node in values[i]
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def calibrate(
    model: RewardModel,
    values: Sequence[Mapping[int, float]],
    solved: Sequence[Solved],
    kept: Sequence[int],
    config: QValueConfig,
) -> Scaling:
    """Scales the model's chances by what the policy's own chains of these problems came to."""
    if not config.calibrate:
        return Scaling()
    scaling = fit_scaling(*_chain_steps(values, solved, kept))
    scale(model, scaling)
    return scaling


def evaluate(
    scaling: Scaling,
    values: Sequence[Mapping[int, float]],
    solved: Sequence[Solved],
    judged: Sequence[int],
    config: QValueConfig,
    task: Task,
) -> Figures:
    """On problems that nothing was fitted to: the predicted chance against how often the chains ended right.

    values: as they were before they were scaled.
    """
    from o1_assets.core.plots import GREY, ORANGE, Axis, Series, save_png
    from o1_assets.reward.train import area_under_curve

    raw, happened, weight = _chain_steps(values, solved, judged)
    scaled = scaling(raw)
    before, after = (calibration(p, happened, weight, config.bins) for p in (raw, scaled))
    pl.concat(
        [before.with_columns(scaled=pl.lit(False)), after.with_columns(scaled=pl.lit(True))]
    ).write_parquet(task.out / "calibration.parquet")
    if after.height > 1:
        diagonal = [0.0, 1.0]
        save_png(
            task.out / "plots" / "calibration.png",
            [
                Series("Q-value model", after["predicted"].to_list(), after["happened"].to_list()),
                Series("before scaling", before["predicted"].to_list(), before["happened"].to_list(), ORANGE),
                Series("perfect", diagonal, diagonal, GREY, style="dashed"),
            ],
            Axis("Chance of a right answer from a step on", "predicted", "came true", ticks=TICKS),
        )
    return {
        "held_out_steps": len(raw),
        "calibration_error": calibration_error(after),
        "calibration_error_unscaled": calibration_error(before),
        "brier": brier_score(scaled, happened, weight),
        "auc": area_under_curve(scaled, happened > 0.5),
        "temperature": 1 / scaling.slope,
        "shift": scaling.shift,
    }


@dataclass(frozen=True)
class Scaling:
    """logit -> slope * logit + shift. A temperature is 1 / slope."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, chances: Floats) -> Floats:
        return _chance(self.slope * _logit(chances) + self.shift)


def fit_scaling(predicted: Floats, happened: Floats, weight: Floats, steps: int = 50) -> Scaling:
    """The scaling with the smallest cross-entropy, found by Newton's method; the identity without any prediction.

    predicted: chances; happened: the share of `weight` outcomes that were right. All of shape (predictions,).
    """
    total = float(weight.sum())
    if not total:
        return Scaling()
    x = np.stack([_logit(predicted), np.ones(len(predicted))], axis=1)  # (predictions, 2): logit, 1
    share, start = weight / total, np.array([1.0, 0.0])
    fitted = start.copy()  # slope, shift
    for _ in range(steps):
        chance = _chance(x @ fitted)
        gradient = x.T @ (share * (chance - happened)) + RIDGE * (fitted - start)
        curvature = (x * (share * chance * (1 - chance))[:, None]).T @ x + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # A full Newton step overshoots where all chances are near 0 or 1 and the curvature vanishes.
        fitted -= np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return Scaling(float(max(fitted[0], 1e-3)), float(fitted[1]))


def scale(model: RewardModel, scaling: Scaling) -> None:
    """Puts the scaling into the weights of the head, so that whoever opens the model reads calibrated chances.

    model: with two classes and a linear head; the logit of the chance is the second logit minus the first.
    """
    import torch

    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.mul_(scaling.slope)
        bias = model.head.get_parameter("bias")
        # Half to each side: only the difference counts, and the logits stay centred.
        bias[0] -= scaling.shift / 2
        bias[1] += scaling.shift / 2


def _logit(chances: Floats) -> Floats:
    inside = np.clip(chances, CERTAIN, 1 - CERTAIN)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _chance(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -40, 40))))


def calibration(predicted: Floats, happened: Floats, weight: Floats, bins: int) -> pl.DataFrame:
    """One row for each bin of equal width that is not empty: predicted, happened (weighted means), weight.

    predicted, happened, weight: (predictions,); happened is the share of solutions that ended right, weight their
    number.
    """
    # A chance of exactly 1 belongs to the last bin.
    bin_of = np.minimum((predicted * bins).astype(int), bins - 1)
    rows = []
    for b in range(bins):
        members = bin_of == b
        if weight[members].sum():
            rows.append(
                {
                    "predicted": float(np.average(predicted[members], weights=weight[members])),
                    "happened": float(np.average(happened[members], weights=weight[members])),
                    "weight": float(weight[members].sum()),
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
