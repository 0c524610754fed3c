"""ablations/two_curves/result: accuracy against training compute and against test-time compute, side by side.

Nothing is trained or sampled for it: it reads what eval/summary and eval/thinking (of the part `thinking`) measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from pydantic import Field

from o1_assets.core import plots
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.plots import Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.charts import flops_axis
from o1_assets.experiments.compute_curves.measure import (
    BEST_OF_N,
    MAJORITY,
    OPTIMAL,
    ComputeCurve,
    FittedLine,
    base_and_generator,
    best_tree,
    fit_line,
    fit_over,
    thinking_curve,
    training_curve,
)
from o1_assets.experiments.experiment import PART, ablation, estimate_tables
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


class TwoCurvesConfig(StageConfig):
    """ablations/two_curves."""

    factor: float = Field(
        64.0, gt=1, description="test-time compute over which the line has to hold, at least"
    )
    target: float = Field(0.95, gt=0, le=1, description="R² of that line")
    resamples: int = Field(2000, gt=0, description="bootstrap samples of problems")


def artifacts(profile: Profile) -> list[Artifact]:
    return [
        ablation(
            profile,
            f"{PART}/two_curves/result",
            make_two_curves,
            profile.ablations.two_curves,
            {
                "summary": "eval/summary",
                "thinking": "eval/thinking",
                "base": "base/model",
                "generator": "generator/model",
                **{f"version_{k:02d}": f"r{k:02d}/policy" for k in range(profile.rounds + 1)},
            },
            "Accuracy against training compute and against test-time compute, side by side.",
            # Tables alone: it needs no accelerator.
            opens_models=False,
            estimate=estimate_tables,
        )
    ]


# The two curves as charts with one y axis, to be set side by side.

# matplotlib draws nothing in the colour "none", and still counts the points when it chooses the limits.
INVISIBLE = "none"
TRAINING_AXIS = "FLOPs of training so far (log scale)"
TEST_AXIS = "FLOPs a problem (log scale)"


def chart(
    title: str,
    x: str,
    curves: Mapping[str, tuple[ComputeCurve, str]],
    fitted: FittedLine | None,
    points: Mapping[str, tuple[float, float]] | None = None,
) -> Chart:
    """curves: label -> the curve and its colour; the first has its intervals as a band, and `fitted` goes through it.

    points: label -> where (FLOPs, accuracy), drawn over the curves.
    """
    series = []
    # Only the first curve has a band: those of four curves cannot be told apart.
    for i, (label, (curve, color)) in enumerate(curves.items()):
        # With one value a point (GPT* and the base) there is no spread over problems to show.
        band = curve.margin().tolist() if i == 0 and curve.right.shape[1] > 1 else None
        series.append(Series(label, curve.flops.tolist(), curve.accuracy().tolist(), color, band))
    if fitted is not None:
        x_values = next(iter(curves.values()))[0].flops
        ends = [float(x_values[0]), float(x_values[fitted.points - 1])]
        label = f"R² {fitted.line.r2:.2f}"
        series.append(Series(label, ends, [fitted.at(v) for v in ends], plots.GREY, None, "dashed"))
    for label, (flops, accuracy) in (points or {}).items():
        series.append(Series(label, [flops], [accuracy], plots.ORANGE, None, "points"))
    return Chart(series, flops_axis(series, title, x, ticks=4))


def alike(charts: Sequence[Chart]) -> list[Chart]:
    """The same charts with equal y axes: each gets invisible points at the lowest and the highest of them all.

    An axis has no limits of its own to set, because the report draws the same series again, as SVG.
    """
    ends = [end for chart in charts for series in chart.series for end in _ends(series)]
    y = [min(ends), max(ends)]
    return [
        replace(
            chart,
            series=[*chart.series, Series("", [chart.series[0].x[0]] * 2, y, INVISIBLE, None, "points")],
        )
        for chart in charts
    ]


def _ends(series: Series) -> list[float]:
    spread = series.spread or [0.0] * len(series.y)
    seen = [(y, s) for y, s in zip(series.y, spread, strict=True) if y is not None]
    return [min(y - s for y, s in seen), max(y + s for y, s in seen)]


POLICY, GENERATOR = "baby-o1", "GPT*"


def make_two_curves(task: Task, config: TwoCurvesConfig) -> Outcome:
    """Inputs: summary (eval/summary), thinking (eval/thinking), base, generator, version_NN (the rounds' policies)."""
    points = read_parquet(task.inputs["thinking"] / "points.parquet")
    prompting = read_parquet(task.inputs["thinking"] / "prompting.parquet")
    seed = derive_seed(task.seed, "bootstrap")
    training = training_curve(task.inputs["summary"], task.inputs, task.cost_of)
    optimal = thinking_curve(points, POLICY, OPTIMAL)
    majority = thinking_curve(points, GENERATOR, MAJORITY)
    # An eval/thinking of an earlier version has other strategies.
    if optimal is None or majority is None:
        raise ValueError(
            "eval/thinking holds no curve of baby-o1 and GPT*: make it again with `o1 run --with thinking`"
        )
    # Training does not span the factor: its line goes through all versions, and its R² has no target.
    trained = fit_line(training, len(training.flops), config.resamples, seed)
    tested = fit_over(optimal, config.factor, config.resamples, seed)
    voted = fit_over(majority, config.factor, config.resamples, seed)
    charts = {
        **_policy_charts(points, training, optimal, trained, tested),
        **_generator_charts(task, prompting, points, majority, voted),
    }
    result = Result(
        "two_curves",
        "Accuracy against training compute and against test-time compute",
        "Does accuracy grow with the logarithm of compute, spent on training as well as on thinking?",
        _claims(config, training, trained, optimal, tested, majority, voted, seed),
        {
            "training": Table("GPT*, then baby-o1 after every round", _frame(training)),
            "test_time": Table("baby-o1 thinking, the best way known for the compute", _frame(optimal)),
            "majority": Table("GPT* with majority voting", _frame(majority)),
        },
        charts,
        _notes(config, training, optimal, tested),
        {"two_curves": ["training", "test_time"], "gpt": ["gpt_training", "gpt_test_time"]},
    )
    write_result(task.out, result)
    return Outcome({claim.name: claim.value for claim in result.claims}, rows=len(optimal.flops))


def _policy_charts(
    points: pl.DataFrame,
    training: ComputeCurve,
    optimal: ComputeCurve,
    trained: FittedLine | None,
    tested: FittedLine | None,
) -> dict[str, Chart]:
    thinking = {"compute-optimal": (optimal, plots.BLUE)}
    ways = {"best of N": (BEST_OF_N, plots.SKY), "majority": (MAJORITY, plots.PURPLE)}
    for label, (strategy, color) in ways.items():
        if (curve := thinking_curve(points, POLICY, strategy)) is not None:
            thinking[label] = (curve, color)
    if (tree := best_tree(points, POLICY)) is not None:
        thinking[tree[0]] = (tree[1], plots.GREEN)
    # The first version of the training curve is GPT* itself.
    start = {GENERATOR: (float(training.flops[0]), float(training.accuracy()[0]))}
    left = chart("baby-o1: training", TRAINING_AXIS, {POLICY: (training, plots.BLUE)}, trained, start)
    right = chart("baby-o1: thinking", TEST_AXIS, thinking, tested)
    return dict(zip(("training", "test_time"), alike([left, right]), strict=True))


def _generator_charts(
    task: Task,
    prompting: pl.DataFrame,
    points: pl.DataFrame,
    majority: ComputeCurve,
    voted: FittedLine | None,
) -> dict[str, Chart]:
    names = {"chain": ("one sample", plots.GREY), "vote": ("majority", plots.PURPLE)}
    measured = base_and_generator(prompting, task.cost_of)
    curves = {names[name][0]: (curve, names[name][1]) for name, curve in measured.items()}
    left = chart("GPT*: from base to GPT*", TRAINING_AXIS, curves, None)
    right = chart("GPT*: majority voting", TEST_AXIS, {"majority": (majority, plots.PURPLE)}, voted)
    return dict(zip(("gpt_training", "gpt_test_time"), alike([left, right]), strict=True))


def _claims(
    config: TwoCurvesConfig,
    training: ComputeCurve,
    trained: FittedLine | None,
    optimal: ComputeCurve,
    tested: FittedLine | None,
    majority: ComputeCurve,
    voted: FittedLine | None,
    seed: int,
) -> list[Claim]:
    def r2(name: str, says: str, fitted: FittedLine | None, target: float | None = None) -> Claim:
        if fitted is None:
            return Claim(name, says, None, target=target, unit="number")
        line = fitted.line
        return Claim(name, says, line.r2, line.r2_low, line.r2_high, target, unit="number")

    # What a claim says is fixed before its value is known: a curve that is too short is not measured, not narrowed.
    wide = f"over at least a factor of {config.factor:g} in compute"
    return [
        r2(
            "test_time_r2",
            f"R² of accuracy against log2 test-time compute, baby-o1, compute-optimal, {wide}",
            tested,
            config.target,
        ),
        r2(
            "training_r2",
            f"R² of pass@1 against log2 training compute, {len(training.flops)} versions",
            trained,
        ),
        r2(
            "test_time_r2_before",
            "the same up to saturation, however little compute that is",
            fit_line(optimal, optimal.saturated(), config.resamples, seed),
        ),
        r2("test_time_r2_gpt", f"the same as test_time_r2 for GPT* with majority voting, {wide}", voted),
        Claim(
            "test_time_factor",
            "compute at which baby-o1's compute-optimal curve saturates, as a multiple of one sample's",
            optimal.factor(optimal.saturated()),
            unit="number",
        ),
        Claim(
            "test_time_factor_gpt",
            "the same for GPT* with majority voting",
            majority.factor(majority.saturated()),
            unit="number",
        ),
    ]


def _frame(curve: ComputeCurve) -> pl.DataFrame:
    accuracy, margin = curve.accuracy(), curve.margin()
    return pl.DataFrame(
        {"FLOPs": curve.flops, "accuracy": accuracy, "low": accuracy - margin, "high": accuracy + margin}
    )


def _notes(
    config: TwoCurvesConfig, training: ComputeCurve, optimal: ComputeCurve, tested: FittedLine | None
) -> list[str]:
    # A line that goes on past saturation has to be said so: it looks worse than the part before it.
    saturated = optimal.factor(optimal.saturated())
    notes = [
        f"Training: pass@1 on {training.right.shape[1]} held-out problems against the FLOPs of all that a version was "
        "made from: pre-training, samples, labels' solutions, reward models and RL, without evaluations.",
        f"Thinking: {optimal.right.shape[1]} held-out problems; FLOPs of a problem with its reward models; the way of "
        "thinking for each compute was chosen on other problems than those it is measured on. The panels share their y "
        "axis but not their problems.",
        "Bands are 95% intervals over problems; the policies were trained once. The tree search shown is the one that "
        "reaches the highest accuracy, from the budget on at which it is as good as one sample.",
    ]
    if tested is None:
        return [
            *notes,
            f"The curve does not span a factor of {config.factor:g} in compute: its R² is not measured.",
        ]
    if saturated < config.factor:
        notes.append(
            f"The curve saturates at {saturated:.0f} times the compute of one sample (the first point that the best "
            f"does not beat by its standard error), so the dashed line goes on past that, to {tested.factor:.0f} times."
        )
    return notes
