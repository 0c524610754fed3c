"""Learning curves of one policy: a row of means an update, and the plots of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from o1_assets.core.plots import BLUE, ORANGE, Axis, Series, save_png
from o1_assets.policy.rollouts import Rollout
from o1_assets.reward.aggregate import solution_score

Curve = dict[str, float]


PLOTS = {
    "reward": ("Reward models on the policy's samples", "mean score", ("prm_score", "orm_score")),
    "length": ("Length of a solution", "tokens", ("tokens",)),
    "entropy": ("Entropy of a sampled token", "nats", ("entropy",)),
    "corrections": ("Steps that correct or check", "share of steps", ("wait_share", "check_share")),
}


def curve_point(groups: Sequence[Sequence[Rollout]]) -> Curve:
    """Means over the rollouts of one update, for the learning curves. Nothing here knows a true answer."""
    rollouts = [rollout for group in groups for rollout in group]
    sampled = [rollout for rollout in rollouts if rollout.logprobs is not None]
    searched = [rollout for rollout in rollouts if rollout.logprobs is None]
    steps = [step for rollout in rollouts for step in rollout.steps]
    means = {
        "prm_score": _mean(solution_score(r.probabilities) for r in sampled if len(r.probabilities)),
        "orm_score": _mean(r.outcome for r in sampled),
        "reward": _mean(float(r.rewards.sum()) for r in sampled),
        "tokens": _mean(len(r.token_ids) for r in sampled),
        "steps": _mean(len(r.steps) for r in sampled),
        "finished": _mean(r.finished for r in sampled),
        "entropy": -_mean(logprob for r in sampled for logprob in r.logprobs or []),
        "wait_share": _mean(step.startswith("wait") for step in steps),
        "check_share": _mean(step.startswith("check") for step in steps),
        "advantage_size": _mean(float(np.abs(r.advantages).mean()) for r in rollouts if len(r.advantages)),
    }
    if searched:
        means["searched_prm_score"] = _mean(solution_score(r.probabilities) for r in searched)
        means["searched_orm_score"] = _mean(r.outcome for r in searched)
    return means


def _mean(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found) if found else 0.0


def save_plots(curve: Sequence[Curve], folder: Path) -> None:
    """One PNG for each of PLOTS."""
    updates = [point["update"] + 1 for point in curve]
    for name, (title, unit, columns) in PLOTS.items():
        series = [
            Series(column.replace("_", " "), updates, [point[column] for point in curve], color)
            for column, color in zip(columns, (BLUE, ORANGE), strict=False)
        ]
        shares = name in ("reward", "corrections")
        save_png(folder / f"{name}.png", series, Axis(title, "update", unit, percent=shares))
