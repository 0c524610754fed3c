"""Steps of held-out solutions: the oracle's rating beside the PRM's P(right), and whether it finds the first error.

F1 is ProcessBench's (Zheng et al. 2024, arXiv:2412.06559): the harmonic mean of the accuracies on wrong and on right
solutions, so that a PRM that objects to everything, or to nothing, gets 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Figures
from o1_assets.engine.steps import pair_steps
from o1_assets.evaluation.statistics import bootstrap

SCHEMA = {
    "solution_id": pl.String,
    "problem_id": pl.String,
    "sample": pl.Int32,
    "step": pl.Int32,
    "text": pl.String,
    "rating": pl.Int8,
    "p_right": pl.Float64,
    "least_likely": pl.Float64,
}

# A step is unlikely if GPT* gives one of its tokens a lower probability. PRM v0 of nano tells hard steps apart with an
# AUC of .62, and all steps with one of .92: it had learned how likely a step is, not whether it is right.
UNLIKELY = 0.3

# Bootstrap samples of the problems, for the standard error of that AUC.
RESAMPLES = 200

# In place of a step's index: the solution has no wrong step.
NO_ERROR = -1


@dataclass(frozen=True)
class StepF1:
    """accuracy_wrong: share of wrong solutions whose earliest wrong step was named exactly; accuracy_right:
    share of right solutions in which no error was reported; f1: their harmonic mean."""

    f1: float
    accuracy_wrong: float
    accuracy_right: float
    wrong: int
    right: int


def predict_first_error(p_right: NDArray[np.float64] | Sequence[float], threshold: float) -> int:
    """The first step whose P(right) lies below the threshold, or NO_ERROR. p_right: [steps]."""
    below = np.flatnonzero(np.asarray(p_right) < threshold)
    return int(below[0]) if len(below) else NO_ERROR


def step_f1(predicted: Sequence[int], truth: Sequence[int]) -> StepF1:
    """Both hold a step index or NO_ERROR for each solution. A class without solutions has accuracy 0.

    Raises ValueError where they are not equally many.
    """
    predictions, errors = np.asarray(predicted, dtype=int), np.asarray(truth, dtype=int)
    if predictions.shape != errors.shape:
        raise ValueError(f"{len(predictions)} predictions for {len(errors)} solutions")
    hit, right = predictions == errors, errors == NO_ERROR
    on_wrong = float(hit[~right].mean()) if (~right).any() else 0.0
    on_right = float(hit[right].mean()) if right.any() else 0.0
    both = on_wrong + on_right
    f1 = 2 * on_wrong * on_right / both if both else 0.0
    return StepF1(f1, on_wrong, on_right, int((~right).sum()), int(right.sum()))


def choose_threshold(p_right: Sequence[NDArray[np.float64]], truth: Sequence[int], grid: int = 99) -> float:
    """The threshold with the best F1 on these solutions, which must not be evaluated with it afterwards.

    The middle of the best thresholds, because the edge of a plateau is where other data falls off it.
    """
    # Without 0 and 1, where nothing or everything would be called wrong.
    thresholds = np.linspace(0.0, 1.0, grid + 2)[1:-1]
    scores = [step_f1([predict_first_error(p, t) for p in p_right], truth).f1 for t in thresholds]
    best = np.flatnonzero(np.isclose(scores, max(scores)))
    return float(thresholds[best[len(best) // 2]])


def cross_fitted_f1(
    p_right: Sequence[NDArray[np.float64]], truth: Sequence[int], groups: Sequence[str]
) -> tuple[StepF1, tuple[float, float]]:
    """F1 of all solutions by `cross_fitted`, and both thresholds."""
    predicted, thresholds = cross_fitted(p_right, truth, groups)
    return step_f1(predicted, truth), thresholds


def cross_fitted(
    p_right: Sequence[NDArray[np.float64]], truth: Sequence[int], groups: Sequence[str]
) -> tuple[list[int], tuple[float, float]]:
    """The first error of each solution, with the threshold chosen on the other half of the problems; and both.

    groups: the problem of each solution; a problem lies wholly in one half, because solutions of one problem share
    steps, and a threshold fitted on some would have seen the others.
    """
    # Sorted ids are hashes: every second problem is a random half, the same in every run.
    half_of = {group: k % 2 for k, group in enumerate(sorted(set(groups)))}
    half = np.array([half_of[group] for group in groups])
    predicted = np.full(len(truth), NO_ERROR)
    thresholds = []
    for side in (0, 1):
        other = np.flatnonzero(half != side)
        threshold = choose_threshold([p_right[i] for i in other], [truth[i] for i in other])
        thresholds.append(threshold)
        for i in np.flatnonzero(half == side):
            predicted[i] = predict_first_error(p_right[i], threshold)
    return predicted.tolist(), (thresholds[0], thresholds[1])


def rated_steps(solutions: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """One row a step: rating by the oracle (null where it does not cover the problem), P(right) by the PRM, and the
    log-probability of its least likely token (null where solutions have no column least_likely).

    solutions need the column p_right. Raises StepsDiffer where that has not one value a step.
    """
    from o1_assets.labels.annotators.exact_checker import rate_steps
    from o1_assets.labels.annotators.oracle import Oracle

    oracle, by_id = Oracle(), {row["problem_id"]: row for row in problems.iter_rows(named=True)}
    rows: list[tuple[Any, ...]] = []
    for s in solutions.iter_rows(named=True):
        problem: Mapping[str, Any] = by_id[s["problem_id"]]
        ratings: list[int | None] = [None] * len(s["steps"])
        if oracle.covers(problem):
            ratings = list(rate_steps(problem, s["steps"]))
        read = pair_steps(s["solution_id"], s["steps"], s["p_right"])
        least_likely = s.get("least_likely") or [None] * len(s["steps"])
        for i, ((text, p), rating) in enumerate(zip(read, ratings, strict=True)):
            rows.append((s["solution_id"], s["problem_id"], s["sample"], i, text, rating, p, least_likely[i]))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def step_figures(steps: pl.DataFrame) -> Figures:
    """Step F1 with the threshold chosen on other problems; nothing where no step was rated."""
    solutions = (
        steps.drop_nulls("rating")
        .group_by("problem_id", "sample", maintain_order=True)
        .agg(pl.col("rating"), pl.col("p_right"))
    )
    # Halves of one problem would have no other problem to choose a threshold on.
    if solutions["problem_id"].n_unique() < 2:
        return {}
    # Neutral steps (0) are no errors, as in PRM800K.
    truth = [ratings.index(-1) if -1 in ratings else NO_ERROR for ratings in solutions["rating"].to_list()]
    p_right = [np.array(p) for p in solutions["p_right"].to_list()]
    result, thresholds = cross_fitted_f1(p_right, truth, solutions["problem_id"].to_list())
    return {
        "step_f1": result.f1,
        "step_accuracy_wrong": result.accuracy_wrong,
        "step_accuracy_right": result.accuracy_right,
        "step_threshold": float(np.mean(thresholds)),
        "step_wrong_solutions": result.wrong,
        "step_right_solutions": result.right,
    }


def ranking_figures(steps: pl.DataFrame) -> Figures:
    """How well the PRM ranks right steps above wrong ones, up to each solution's first wrong step.

    step_auc: of all these steps. hard_step_auc: of right steps that GPT* finds unlikely against wrong steps that it
    does not (UNLIKELY), with its standard error over problems: what a PRM gets wrong that counts instead of checking.
    Each with the numbers of its steps; None where there are none of a kind, nothing at all where no step was rated.
    """
    before = (pl.col("rating") < 0).cum_sum().over("problem_id", "sample") - (pl.col("rating") < 0)
    rated = steps.drop_nulls(["rating", "least_likely"]).sort("problem_id", "sample", "step")
    rated = rated.filter(before == 0).with_columns(
        right=pl.col("rating") >= 0, unlikely=pl.col("least_likely") < np.log(UNLIKELY)
    )
    if rated.is_empty():
        return {}
    hard = rated.filter(pl.col("right") == pl.col("unlikely"))
    return {
        **_area(rated, "step_auc", "steps"),
        **_area(hard, "hard_step_auc", "hard_steps"),
    }


def _area(steps: pl.DataFrame, name: str, counted: str) -> Figures:
    """The AUC of p_right against right, its standard error over problems, and how many steps are right and wrong."""
    from o1_assets.reward.train import area_under_curve

    p_right, right = steps["p_right"].to_numpy(), steps["right"].to_numpy()
    area, error = area_under_curve(p_right, right), None
    if area is not None:
        # Steps of one problem are alike, so whole problems are drawn anew.
        problems = np.split(np.arange(len(right)), np.flatnonzero(np.diff(steps["problem_id"].rle_id())) + 1)

        def drawn_area(chosen: Sequence[int]) -> float:
            places = np.concatenate([problems[i] for i in chosen])
            drawn = area_under_curve(p_right[places], right[places])
            return np.nan if drawn is None else drawn

        error = float(np.nanstd(bootstrap(drawn_area, [len(problems)], RESAMPLES, seed=0)))
    count = {f"{counted}_right": int(right.sum()), f"{counted}_wrong": int((~right).sum())}
    return {name: area, f"{name}_error": error, **count}


def correction_figures(steps: pl.DataFrame, word: str) -> Figures:
    """How often solutions say `wait`, how often rightly, and how many wrong operations are repaired at once.

    wait_share: solutions with a correction; wait_right_share: corrections that fix the step before them;
    wait_needless_share: corrections of a step that was right; repaired_share: first wrong steps, not being
    the answer or a correction, whose next step is a right correction.
    """
    per = ["problem_id", "sample"]
    table = steps.sort(*per, "step").with_columns(wait=pl.col("text").str.starts_with(word + " "))
    table = table.with_columns(
        before=pl.col("rating").shift(1).over(per),
        fixed=(pl.col("wait") & (pl.col("rating") > 0)).shift(-1).over(per).fill_null(False),
        last=pl.col("step") == pl.col("step").max().over(per),
    )
    waits = table.filter("wait").drop_nulls("rating")
    wrong = table.filter((pl.col("rating") < 0) & ~pl.col("wait") & ~pl.col("last"))
    # After an error that stands every step is wrong, so only the first one can be noticed at once.
    first_wrong = wrong.group_by(per, maintain_order=True).first()
    solutions = table.select(per).n_unique()
    return {
        "wait_share": table.filter("wait").select(per).n_unique() / solutions if solutions else None,
        "wait_right_share": _share(waits["rating"] > 0),
        "wait_needless_share": _share((waits["before"] >= 0) & (waits["rating"] >= 0)),
        "repaired_share": _share(first_wrong["fixed"]),
    }


def _share(values: pl.Series) -> float | None:
    return float(values.fill_null(False).sum() / len(values)) if len(values) else None
