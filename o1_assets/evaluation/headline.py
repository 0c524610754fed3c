"""The headline figures: what each is called, in which direction it is better, and what it has to reach."""

from __future__ import annotations

from typing import Literal, TypedDict

from o1_assets.core.artifact import Figures


class Headline(TypedDict):
    """spread: standard deviation over evaluation seeds (None where there is only one measurement)."""

    value: float | None
    spread: float | None
    target: float | None
    better: Literal["higher", "lower"]


# What nano promises on two CPU cores: the whole loop in twenty minutes and within 4 GiB, of which at most a tenth is
# not model compute.
MAX_WALL_SECONDS = 20 * 60.0
MAX_OVERHEAD_SHARE = 0.10
MAX_RSS_GIB = 4.0

# baby-o1 has to make at most this share of the generator's sampled errors: down by a third.
ERROR_KEPT = 2 / 3

# A PRM that is ahead by less could be ahead by the choice of problems.
STANDARD_ERRORS = 2.0


def headline(
    value: float | None,
    spread: float | None = None,
    target: float | None = None,
    better: Literal["higher", "lower"] = "higher",
) -> Headline:
    return {"value": value, "spread": spread, "target": target, "better": better}


def met(figure: Headline) -> bool | None:
    """None without a target, or without a value."""
    value, target = figure["value"], figure["target"]
    if target is None or value is None:
        return None
    return value >= target if figure["better"] == "higher" else value <= target


def run_headlines(wall_seconds: float, overhead_share: float, peak_rss_gib: float) -> dict[str, Headline]:
    """What the run cost on the machine that ran it. This is never part of an artifact's bytes."""
    return {
        "wall_seconds": headline(wall_seconds, None, MAX_WALL_SECONDS, "lower"),
        "overhead_share": headline(overhead_share, None, MAX_OVERHEAD_SHARE, "lower"),
        "peak_rss_gib": headline(peak_rss_gib, None, MAX_RSS_GIB, "lower"),
    }


def result_headlines(
    generator: Figures, policy: Figures, fooled_first: float | None, fooled_last: float | None
) -> dict[str, Headline]:
    """From the figures of the generator's evaluation and of the last round's.

    Best of N is evaluated on the generator's solutions: what a reward model adds is measured where the samples
    are not yet nearly all right, and all selectors see the same ones. The PRM's target is the better of the
    two others plus two standard errors of its paired difference to it.
    """
    n = generator["n"]
    base, orm, majority = (
        _number(generator, f"{name}") for name in ("pass@1", "orm_best_of_n", "majority_at_n")
    )
    # On the same solutions: the standard error is that of the paired difference, not of either accuracy.
    rivals = [
        rival + STANDARD_ERRORS * (_number(generator, f"prm_over_{name}_se") or 0.0)
        for name, rival in (("orm", orm), ("majority", majority))
        if rival is not None
    ]
    return {
        "generator_pass@1": _figure(generator, "pass@1"),
        "baby_o1_pass@1": _figure(policy, "pass@1", None if base is None else 1 - ERROR_KEPT * (1 - base)),
        "generator_greedy": _figure(generator, "greedy"),
        # RL mostly sharpens at this scale: greedy hardly moves, so that not losing is the target.
        "baby_o1_greedy": _figure(policy, "greedy", _number(generator, "greedy")),
        f"majority@{n}": _figure(generator, "majority_at_n"),
        f"orm_best_of_{n}": _figure(generator, "orm_best_of_n"),
        f"prm_best_of_{n}": _figure(generator, "prm_best_of_n", max(rivals) if rivals else None),
        # The first rate has no target: it is the baseline of the last one.
        "fooled_rate_first": headline(fooled_first, better="lower"),
        "fooled_rate_last": headline(fooled_last, None, fooled_first, "lower"),
    }


def _figure(figures: Figures, name: str, target: float | None = None) -> Headline:
    return headline(_number(figures, name), _number(figures, f"{name}_spread"), target)


def _number(figures: Figures, name: str) -> float | None:
    value = figures.get(name)
    return None if value is None else float(value)
