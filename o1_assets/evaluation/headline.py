"""The headline figures: what each is called, in which direction it is better, and what it has to reach."""

from __future__ import annotations

from typing import Literal, TypedDict

from o1_assets.core.artifact import Figures


class Headline(TypedDict):
    """error: standard error over problems, of this one training; None where it was not measured."""

    value: float | None
    error: float | None
    target: float | None
    better: Literal["higher", "lower"]


# What nano promises on two CPU cores: the whole loop in twenty minutes and within 4 GiB, of which at most a tenth is
# not model compute.
MAX_WALL_SECONDS = 20 * 60.0
MAX_OVERHEAD_SHARE = 0.10
MAX_RSS_GIB = 4.0

# baby-o1 has to make at most this share of the generator's sampled errors: down by a third.
ERROR_KEPT = 2 / 3

# The k whose pass@k is a figure, as far as there are samples.
PASS_KS = (1, 4, 16, 64, 128)

# A PRM that is ahead by less could be ahead by the choice of problems.
STANDARD_ERRORS = 2.0


# A PRM that checks, and does not count: its AUC on right steps that GPT* finds unlikely against wrong steps that it
# finds likely, and how often it chooses right among 128 solutions of GPT* (one of them is right for .987 of nano's
# problems).
HARD_STEP_AUC = 0.97
BEST_OF_POOLED_N = 0.90


def headline(
    value: float | None,
    error: float | None = None,
    target: float | None = None,
    better: Literal["higher", "lower"] = "higher",
) -> Headline:
    return {"value": value, "error": error, "target": target, "better": better}


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
        **_verifier_headlines(generator, policy),
    }


def _verifier_headlines(generator: Figures, policy: Figures) -> dict[str, Headline]:
    """Whether the newest PRM checks, whether a choice among more solutions is ever worse, and what RL took away."""
    # Of one seed's samples, so that GPT* and the policy are compared with as many as a round has.
    k = max(k for k in PASS_KS if k <= int(generator["n"] or 1))
    made: dict[str, Headline] = {}
    for name, figures in (("generator", generator), ("baby_o1", policy)):
        lower = None if name == "generator" else _number(generator, f"pass@{k}")
        error = _number(figures, "prm_best_of_n_fall_se")
        fall = None if error is None else STANDARD_ERRORS * error
        made |= {
            f"{name}_pass@{k}": _figure(figures, f"pass@{k}", lower),
            f"{name}_prm_best_of_{figures['pooled_n']}": _figure(
                figures, "prm_best_of_pooled_n", BEST_OF_POOLED_N if name == "generator" else None
            ),
            f"{name}_best_of_n_fall": headline(_number(figures, "prm_best_of_n_fall"), None, fall, "lower"),
            f"{name}_step_auc": _figure(figures, "step_auc"),
            f"{name}_hard_step_auc": _figure(
                figures, "hard_step_auc", HARD_STEP_AUC if name == "baby_o1" else None
            ),
        }
    return made


def _figure(figures: Figures, name: str, target: float | None = None) -> Headline:
    return headline(_number(figures, name), _number(figures, f"{name}_error"), target)


def _number(figures: Figures, name: str) -> float | None:
    value = figures.get(name)
    return None if value is None else float(value)
