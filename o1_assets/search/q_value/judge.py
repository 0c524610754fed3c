"""Makes the chances of a Q-value model come true, and says whether they do, on problems it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from o1_assets.core.artifact import Figures, Task
from o1_assets.search.q_value.collect import Solved
from o1_assets.search.q_value.config import QValueConfig
from o1_assets.search.q_value.targets import returns
from o1_assets.search.q_value.temperature import (
    Floats,
    Scaling,
    brier_score,
    calibration,
    calibration_error,
    fit_scaling,
    scale,
)

if TYPE_CHECKING:
    from o1_assets.reward.model import RewardModel


TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def _chains(
    values: Sequence[Mapping[int, float]], solved: Sequence[Solved], which: Sequence[int]
) -> tuple[Floats, Floats, Floats]:
    """predicted, happened, weight of every step of these trees' chains: the chance by the model, the share of the
    policy's own solutions through that step which ended right, and how many they were."""
    rows = [
        (values[i][node], found.mean, found.ends)
        for i in which
        if not solved[i].searched
        for node, found in returns(solved[i]).items()
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
    scaling = fit_scaling(*_chains(values, solved, kept))
    scale(model, scaling)
    return scaling


def judge(
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
    from o1_assets.reward.judge import area_under_curve

    raw, happened, weight = _chains(values, solved, judged)
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
