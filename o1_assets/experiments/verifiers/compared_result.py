"""What `ablations/verifiers` found of verifiers that differ in what they had read before the labels."""

from __future__ import annotations

from typing import Literal

import polars as pl

from o1_assets.core import plots
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation.best_of_n import largest_fall
from o1_assets.evaluation.headline import HARD_STEP_AUC
from o1_assets.evaluation.statistics import interval
from o1_assets.experiments.result import Chart, Claim, Table
from o1_assets.experiments.verifiers import config as arms
from o1_assets.experiments.verifiers.compared import STEP_FIGURES, Comparison
from o1_assets.experiments.verifiers.config import WORKS_AGAIN, VerifiersResultConfig

# Name of a claim -> two PRMs that differ in one thing, and what that is.
GAINS = {
    "homework_gain": ("homework_same_size", "bare", "a base that read graded homework, in place of GPT*"),
    "large_homework_gain": ("grown", "large_without_homework", "graded homework, with new layers on the base"),
    "new_layers_gain": ("grown", "homework_same_size", "new layers on the base that reads homework"),
    "more_layers_gain": ("grown_larger", "grown", "still more new layers"),
    "feature_after_homework_gain": ("profile", "grown", "the probability feature, after homework"),
    "start_gain": ("profile", "from_generator", "new layers and graded homework, beside the probability feature"),
    "single_operations_gain": ("single_operations", "grown", "single operations in place of all homework"),
    "true_marks_gain": (
        "exact_marks", "marks_as_writers", "teachers without misconceptions: exact labels for nothing"
    ),
}  # fmt: skip


def compared_claims(comparison: Comparison, config: VerifiersResultConfig, seed: int) -> list[Claim]:
    """What each part of a start adds to best of the most samples, and each verifier's AUC of hard steps."""
    size, made = config.sizes[-1], []
    most = max(comparison.curves[WORKS_AGAIN])
    for name, (better, worse, says) in GAINS.items():
        better, worse = _arm(better, size), _arm(worse, size)
        if better in comparison.curves and worse in comparison.curves:
            gap = interval(
                comparison.curves[better][most] - comparison.curves[worse][most], config.resamples, seed
            )
            made.append(
                Claim(
                    f"{name}@{most}", f"What best of {most} gains by {says}.",
                    gap.mean, gap.low, gap.high, unit="points",
                )
            )  # fmt: skip
    for arm in comparison.curves:
        says = config.compared_arms.get(arm, "GPT* works each step out again")
        made.append(
            Claim(
                f"hard_step_auc.{arm}", f"Right but unlikely steps above wrong but likely ones: {says}.",
                comparison.figure(arm, "hard_step_auc"),
                target=HARD_STEP_AUC if arm == arms.prm(size) else None, unit="number",
            )
        )  # fmt: skip
    return made


def _arm(name: str, size: int) -> str:
    named = {"profile": arms.prm(size), "from_generator": arms.FROM_GENERATOR, "bare": arms.bare(size)}
    return named.get(name) or arms.started(name)


def compared_table(comparison: Comparison, config: VerifiersResultConfig, again: float | None) -> Table:
    """A row a verifier. again: tokens that works_again generated for each solution, None where not known."""
    rows = []
    for arm, curve in comparison.curves.items():
        means = {n: values.mean(0) for n, values in curve.items()}
        fall = largest_fall(means)
        rows.append(
            {
                "verifier": arm,
                "what it is": config.compared_arms.get(arm, "no training: GPT* works each step out again"),
                **{name.replace("_", " "): comparison.figure(arm, name) for name in STEP_FIGURES},
                **{f"N={n}": float(values.mean()) for n, values in means.items()},
                "fall": fall.difference,
                "fall, standard error": fall.standard_error,
                "generated tokens a solution": again if arm == WORKS_AGAIN else 0.0,
            }
        )
    title = (
        f"Verifiers that learn from the same {config.sizes[-1]} solutions, on {config.problems} problems: how well "
        "they rank steps, best of N, and by how much best of N falls from its best N to a larger one."
    )
    return Table(title, pl.DataFrame(rows, infer_schema_length=None))


def compared_chart(comparison: Comparison, config: VerifiersResultConfig) -> Chart:
    size = config.sizes[-1]
    looks: dict[str, tuple[str, str, Literal["line", "dashed"]]] = {
        arms.prm(size): ("as the profile", plots.INK, "line"),
        arms.FROM_GENERATOR: ("GPT*, with feature", plots.GREY, "line"),
        arms.bare(size): ("GPT*, without", plots.GREY, "dashed"),
        arms.started("homework_same_size"): ("homework, same size", plots.SKY, "line"),
        arms.started("grown"): ("grown", plots.BLUE, "line"),
        arms.started("grown_larger"): ("grown, larger", plots.PURPLE, "line"),
        arms.started("large_without_homework"): ("large, no homework", plots.ORANGE, "line"),
        arms.started("single_operations"): ("single operations", plots.GREEN, "line"),
        WORKS_AGAIN: ("works again", plots.RED, "line"),
    }
    series = [
        Series(label, list(curve), [float(values.mean()) for values in curve.values()], color, style=style)
        for arm, (label, color, style) in looks.items()
        if (curve := comparison.curves.get(arm)) is not None
    ]
    return Chart(series, Axis("Best of N at equal labels", "N solutions a problem", "accuracy", log2=True))
