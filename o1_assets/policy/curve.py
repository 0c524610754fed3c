"""The learning curve: means over the solutions of each update. Nothing here knows a true answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from o1_assets.core.plots import BLUE, ORANGE, Axis, Series, save_png
from o1_assets.policy.rollouts import Rollout
from o1_assets.reward.aggregate import solution_score

# Means over the solutions of one update, by name.
Curve = dict[str, float]

# File name -> title, unit and columns of a plot of the learning curve.
PLOTS = {
    "reward": ("Reward models on the policy's samples", "mean score", ("prm_score", "orm_score")),
    "length": ("Length of a solution", "tokens", ("tokens",)),
    "entropy": ("Entropy of a sampled token", "nats", ("entropy",)),
    "kl": ("Distance to GPT* at a sampled token", "nats", ("kl",)),
    "groups": ("Groups of an update", "share of groups", ("contrast_share", "resampled_share")),
    "held_out": ("Train problems held out of the updates", "right", ("held_out_pass_1", "held_out_pass_k")),
    "clipped": ("Tokens whose ratio was clipped", "share of tokens", ("clip_share",)),
    "sampler": (
        "Log-probability of a token, trainer's against sampler's",
        "nats",
        ("sampler_difference", "sampler_difference_max"),
    ),
    "replay": ("Cross-entropy of replayed solutions", "nats a token", ("replay_loss",)),
    "corrections": ("Steps that correct or check", "share of steps", ("wait_share", "check_share")),
}


def curve_point(groups: Sequence[Sequence[Rollout]]) -> Curve:
    """Means over the rollouts of one update."""
    rollouts = [rollout for group in groups for rollout in group]
    # Searched solutions are apart: they are better than what the policy writes by itself.
    sampled = [rollout for rollout in rollouts if rollout.logprobs is not None]
    searched = [rollout for rollout in rollouts if rollout.logprobs is None]
    steps = [step for rollout in rollouts for step in rollout.steps]
    means = {
        "prm_score": mean(solution_score(r.probabilities) for r in sampled if len(r.probabilities)),
        "orm_score": mean(r.outcome for r in sampled),
        "reward": mean(float(r.rewards.sum()) for r in sampled),
        "tokens": mean(len(r.token_ids) for r in sampled),
        "steps": mean(len(r.steps) for r in sampled),
        "finished": mean(r.finished for r in sampled),
        # The mean of -log p over sampled tokens is an unbiased estimate of the entropy, without any logits kept.
        "entropy": -mean(logprob for r in sampled for logprob in r.logprobs or []),
        "wait_share": mean(step.startswith("wait") for step in steps),
        "check_share": mean(step.startswith("check") for step in steps),
        "advantage_size": mean(float(np.abs(r.advantages).mean()) for r in rollouts if len(r.advantages)),
    }
    read = [r for r in sampled if r.reference is not None]
    if read:
        # The mean of log p(policy) - log p(GPT*) over sampled tokens is an unbiased estimate of KL(policy | GPT*).
        means["kl"] = mean(d for r in read for d in np.asarray(r.logprobs) - r.reference)
    if searched:
        means["searched_prm_score"] = mean(solution_score(r.probabilities) for r in searched)
        means["searched_orm_score"] = mean(r.outcome for r in searched)
    return means


def mean(values: Iterable[float]) -> float:
    numbers = [float(value) for value in values]
    return sum(numbers) / len(numbers) if numbers else 0.0


def save_plots(curve: Sequence[Curve], folder: Path) -> None:
    """One PNG for each of PLOTS."""
    updates = [point["update"] + 1 for point in curve]
    drawn = {name: plot for name, plot in PLOTS.items() if plot[2][0] in curve[0]}
    for name, (title, unit, columns) in drawn.items():
        series = [
            Series(column.replace("_", " "), updates, [point[column] for point in curve], color)
            for column, color in zip(columns, (BLUE, ORANGE), strict=False)
        ]
        shares = name in ("reward", "corrections", "groups", "held_out", "clipped")
        save_png(folder / f"{name}.png", series, Axis(title, "update", unit, percent=shares))


def curve_figures(curve: list[Curve], updates_per_batch: int = 1) -> dict[str, float | int | str | None]:
    """First and last quarter of the curve: what a person wants to see beside the plots."""
    # Means over a quarter: a single update's mean is over a few hundred solutions, and noisy.
    quarter = max(1, len(curve) // 4)
    names = ("prm_score", "orm_score", "tokens", "finished", "entropy", "wait_share")
    optional = (
        "kl",
        "contrast_share",
        "resampled_share",
        "replay_loss",
        "clip_share",
        "sampler_difference",
        "importance_cut_share",
    )
    figures: dict[str, float | int | str | None] = {"updates": len(curve) * updates_per_batch}
    for name in (*names, *(name for name in optional if name in curve[0])):
        figures[f"{name}_first"] = round(float(np.mean([point[name] for point in curve[:quarter]])), 4)
        figures[f"{name}_last"] = round(float(np.mean([point[name] for point in curve[-quarter:]])), 4)
    if "kept_update" in curve[0]:
        for name in ("kept_update", "held_out_pass_1", "held_out_pass_k"):
            figures[name] = curve[-1][name]
    return figures
