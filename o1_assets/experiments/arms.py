"""From the runs of an experiment's arms to what people see: differences to the control, tables, charts, claims.

Runs are a frame with a row for each arm, training seed and measure, as `measure.runs_of` gives them. The problems of
per_problem are in the same order everywhere, and every seed of every arm has every measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.plots import Axis, Series
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.evaluate_policy import PASS_AT_1
from o1_assets.evaluation.statistics import Floats, interval, simplest_unbeaten
from o1_assets.experiments.experiment import Arm, Experiment, experiment_artifacts
from o1_assets.experiments.measure import runs_of
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def arms_chart(rows: Sequence[dict[str, Any]], title: str) -> tuple[list[Series], Axis]:
    """Each arm's mean with its interval, side by side. rows: of one measure, arms in order, as `arm_differences` gives
    them. The control is grey."""
    series = []
    for i, row in enumerate(rows):
        color = plots.BLUE if i else plots.GREY
        # The interval is a vertical line through the point.
        series.append(Series("", [i, i], [row["low"], row["high"]], color))
        series.append(Series("", [i], [row["mean"]], color, style="points"))
    names = [str(row["arm"]).replace("_", "\n") for row in rows]
    measure = str(rows[0]["measure"]).replace("_", " ") if rows else ""
    return series, Axis(f"{title}: {measure}", "", "accuracy", ticks=range(len(rows)), tick_labels=names)


# The measure that arms are ranked by.
DECIDES = PASS_AT_1
COSTS = ("updates", "tokens_generated", "tokens_scored", "tokens_trained", "flops")


class ArmWords(StageConfig):
    """name: as in the artifacts' keys. says: what the arm does, in a few words."""

    name: str
    says: str


class ResultConfig(StageConfig):
    """arms: from the simplest on; the first is the control. today: the arm that is as the profile has it."""

    name: str
    title: str
    question: str
    arms: tuple[ArmWords, ...]
    today: str
    seeds: int
    judge: EvalConfig


def compared_arms(
    profile: Profile, name: str, title: str, question: str, arms: Sequence[Arm], today: str
) -> list[Artifact]:
    """An experiment whose arms are policies that `make_result` compares. today: as in `ResultConfig`."""
    config = ResultConfig(
        name=name,
        title=title,
        question=question,
        arms=tuple(ArmWords(name=arm.name, says=arm.says) for arm in arms),
        today=today,
        seeds=profile.ablations.seeds,
        judge=profile.ablations.judge,
    )
    experiment = Experiment(name, question, arms, compute=make_result, config=config, inputs={})
    return experiment_artifacts(experiment, profile)


def make_result(task: Task, config: ResultConfig) -> Outcome:
    """Inputs: <arm>_<seed>, the evaluations. Writes runs.parquet beside what `result.write_result` does."""
    names = [arm.name for arm in config.arms]
    runs = runs_of(task, names, config.seeds)
    seed = derive_seed(task.seed, "bootstrap")
    runs.write_parquet(task.out / "runs.parquet")
    result = arms_result(config.name, config.title, config.question, config.arms, runs, config.judge, seed)
    verdict = simplest(runs, names, config.judge.resamples, seed)
    note = f"The simplest arm that no other beats in {DECIDES} by more than noise: {verdict}."
    if verdict != config.today:
        note += f" The profile has {config.today}."
    write_result(task.out, result.with_notes(note))
    means = arm_differences(runs, names, config.judge.resamples, seed).filter(pl.col("measure") == DECIDES)
    figures = {f"{DECIDES} {row['arm']}": row["mean"] for row in means.iter_rows(named=True)}
    return Outcome(
        {"simplest_unbeaten": verdict, "today": config.today, **figures},
        rows=runs.height,
        sample=means.to_dicts(),
    )


def arms_result(
    name: str,
    title: str,
    question: str,
    arms: Sequence[ArmWords],
    runs: pl.DataFrame,
    judge: EvalConfig,
    seed: int,
) -> Result:
    """The whole result of an experiment that trains the arms and judges the policies alike. arms: the first is the
    control, and each other's difference to it in DECIDES is a claim without a target, `<name>.<arm>`."""
    differences = arm_differences(runs, [arm.name for arm in arms], judge.resamples, seed)
    problems, seeds = len(runs["per_problem"][0]), runs["seed"].n_unique()
    return Result(
        name,
        title,
        question,
        difference_claims(name, arms, differences),
        {"arms": arms_table(arms, differences), "differences": differences_table(arms, differences)},
        arm_charts(title, differences),
        [
            f"Each arm was trained {seeds} times and judged on {problems} held-out problems, {judge.samples} "
            "solutions each; intervals are 95%, over trainings and problems."
        ],
    )


def arm_differences(runs: pl.DataFrame, arms: Sequence[str], resamples: int, seed: int) -> pl.DataFrame:
    """A row a measure and arm: the mean with its interval, the difference to the first arm with its own, the costs."""
    rows: list[dict[str, Any]] = []
    for measure in runs["measure"].unique(maintain_order=True):
        values = measured(runs, arms, measure)
        for arm in arms:
            mean = interval(values[arm], resamples, seed)
            # Paired by seed and problem, so that how hard a problem is cancels in the difference.
            difference = interval(values[arm] - values[arms[0]], resamples, seed)
            arm_runs = runs.filter((pl.col("measure") == measure) & (pl.col("arm") == arm))
            rows.append(
                {
                    "arm": arm,
                    "measure": measure,
                    "mean": mean.mean,
                    "low": mean.low,
                    "high": mean.high,
                    "difference": difference.mean,
                    "difference_low": difference.low,
                    "difference_high": difference.high,
                    **arm_runs.select(pl.col(COSTS).mean()).row(0, named=True),
                }
            )
    return pl.DataFrame(rows)


def measured(runs: pl.DataFrame, arms: Sequence[str], measure: str) -> dict[str, Floats]:
    """Arm -> [seeds, problems]."""
    of_measure = runs.filter(pl.col("measure") == measure).sort("seed")
    return {
        arm: np.array(of_measure.filter(pl.col("arm") == arm)["per_problem"].to_list(), dtype=np.float64)
        for arm in arms
    }


def simplest(runs: pl.DataFrame, arms: Sequence[str], resamples: int, seed: int) -> str:
    """Of arms from the simplest on, the first that no other beats in DECIDES by more than noise."""
    return simplest_unbeaten(measured(runs, arms, DECIDES), resamples, seed)


def difference_claims(name: str, arms: Sequence[ArmWords], differences: pl.DataFrame) -> list[Claim]:
    """differences: as `arm_differences` gives them."""
    control, *others = arms
    rows = {row["arm"]: row for row in differences.filter(pl.col("measure") == DECIDES).iter_rows(named=True)}
    return [
        Claim(
            f"{name}.{arm.name}",
            f"{DECIDES}, {arm.says}, minus: {control.says}",
            rows[arm.name]["difference"],
            rows[arm.name]["difference_low"],
            rows[arm.name]["difference_high"],
        )
        for arm in others
    ]


def arms_table(arms: Sequence[ArmWords], differences: pl.DataFrame) -> Table:
    """differences: as `arm_differences` gives them. A row an arm: DECIDES with its interval, the means of the other
    measures, what a training cost."""
    means = differences.pivot("measure", index="arm", values="mean", maintain_order=True)
    decides = differences.filter(pl.col("measure") == DECIDES)
    says = pl.DataFrame({"arm": [arm.name for arm in arms], "what it does": [arm.says for arm in arms]})
    frame = (
        says.join(
            decides.select("arm", pl.col("mean").alias(DECIDES), "low", "high"),
            on="arm",
            how="left",
            maintain_order="left",
        )
        .join(means.drop(DECIDES), on="arm", how="left", maintain_order="left")
        .join(
            decides.select(
                "arm",
                "updates",
                pl.col("tokens_generated").alias("tokens generated"),
                pl.col("flops").alias("FLOPs"),
            ),
            on="arm",
            how="left",
            maintain_order="left",
        )
    )
    return Table("Every arm; costs are those of one training", frame)


def differences_table(arms: Sequence[ArmWords], differences: pl.DataFrame) -> Table:
    others = differences.filter(pl.col("arm") != arms[0].name)
    return Table(
        f"Differences to the control, {arms[0].name}, in every measure",
        others.select(
            "measure",
            "arm",
            pl.col("difference"),
            pl.col("difference_low").alias("low"),
            pl.col("difference_high").alias("high"),
        ),
    )


def arm_charts(title: str, differences: pl.DataFrame) -> dict[str, Chart]:
    """A chart a measure, by the measure's name."""
    return {
        str(measure): Chart(*arms_chart(rows.to_dicts(), title))
        for (measure,), rows in differences.group_by("measure", maintain_order=True)
    }
