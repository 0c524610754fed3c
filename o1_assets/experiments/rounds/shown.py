"""What people read of `ablations/rounds`: means with intervals, differences to the control, tables and charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core import plots
from o1_assets.core.artifact import StageConfig, Task
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.evaluate_policy import PASS_AT_1
from o1_assets.evaluation.statistics import (
    Floats,
    Interval,
    bootstrap,
    bounds,
    f1,
    interval_around,
    interval_of_sums,
    share,
)
from o1_assets.experiments.arms import ArmWords, arms_chart
from o1_assets.experiments.measure import training_cost
from o1_assets.experiments.result import Chart, Claim, Result, Table
from o1_assets.experiments.rounds.config import RoundsConfig
from o1_assets.experiments.rounds.measure import (
    CONDEMNED_POOL,
    FOOLED_POOL,
    STEP_F1,
    of_searched_pool,
    trainings_needed,
)
from o1_assets.experiments.rounds.searched import ACCURACY, CONDEMNED, FOOLED
from o1_assets.experiments.variants import PART

Ints = NDArray[np.int64]
Combine = Callable[[Floats], float]


def combine_of(measure: str) -> Combine:
    return f1 if measure.startswith(STEP_F1) else share


def difference(parts: Floats, others: Floats, combine: Combine, resamples: int, seed: int) -> Interval | None:
    """The figure of `parts` minus that of `others`, on the same seeds and problems."""
    width = parts.shape[2]
    return interval_of_sums(
        np.concatenate([parts, others], axis=2),
        lambda sums: combine(sums[:width]) - combine(sums[width:]),
        resamples,
        seed,
    )


def arms_table(
    measured: Mapping[str, Mapping[str, Floats]], control: str, resamples: int, seed: int
) -> pl.DataFrame:
    """measured: measure -> arm -> [seeds, problems, values]. One row a measure and arm: value, low, high, and the
    difference to the control with its own."""
    rows = []
    for measure, arms in measured.items():
        combine = combine_of(measure)
        for arm, parts in arms.items():
            interval = interval_of_sums(parts, combine, resamples, seed)
            to_control = (
                difference(parts, arms[control], combine, resamples, seed) if arm != control else None
            )
            names = ("value", "low", "high", f"minus {control}", "difference, low", "difference, high")
            values = (*bounds(interval), *bounds(to_control))
            rows.append({"measure": measure, "arm": arm, **dict(zip(names, values, strict=True))})
    return pl.DataFrame(rows, infer_schema_length=None)


def falls(values: Sequence[float]) -> float:
    """How much a curve that should rise falls, all rounds together; 0 for one that never does, NaN where a value is."""
    steps = np.diff(np.asarray(values, dtype=np.float64))
    return float(np.maximum(-steps, 0.0).sum())


def steadiness(
    retrained: Sequence[Floats], fixed: Sequence[Floats], combine: Combine, resamples: int, seed: int
) -> Interval | None:
    """`falls` with a retrained selector minus `falls` with a fixed one, mean over seeds; None where it is undefined.

    retrained, fixed: of each round the parts [seeds, problems, values].
    """
    arms = [np.stack(retrained), np.stack(fixed)]  # each [rounds, seeds, problems, values]
    seeds, problems = arms[0].shape[1:3]

    def unsteadiness(parts: Floats) -> float:
        # One curve a seed: of a curve of means, falls of different seeds would cancel and look steady together.
        curves = parts.sum(2)  # [rounds, seeds, values]
        return float(
            np.mean([falls([combine(sums) for sums in curves[:, s]]) for s in range(curves.shape[1])])
        )

    def difference_of(chosen: Ints, drawn: Ints) -> float:
        falling, steady = (unsteadiness(parts[:, chosen][:, :, drawn]) for parts in arms)
        return falling - steady

    value = difference_of(np.arange(seeds), np.arange(problems))
    resampled = bootstrap(difference_of, (seeds, problems), resamples, seed).astype(float)
    return interval_around(value, resampled)


TITLE = "Rounds of labels against controls"
QUESTION = "What do the rounds do: new labels, their choice, their order, and RL between them?"
RETRAINED, FIXED = "rounds", "fixed_selector"
COLORS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.PURPLE, plots.RED, plots.SKY, plots.GREY)


class RoundsResultConfig(StageConfig):
    """arms: the first is what the others are compared with."""

    arms: tuple[ArmWords, ...]
    seeds: int
    rounds: RoundsConfig
    judge: EvalConfig

    @property
    def names(self) -> list[str]:
        return [arm.name for arm in self.arms]

    @property
    def control(self) -> str:
        return self.names[0]


# <arm>_<seed> -> round -> measure -> parts [problems, values].
ByRound = Mapping[str, Mapping[int, Mapping[str, Floats]]]


def _trainings(
    measured: Mapping[str, Mapping[str, Floats]], control: str, difference: float, seed: int
) -> pl.DataFrame:
    """One row a measure: how many trainings of each arm a true difference from the control needs."""
    rows = []
    for measure, arms in measured.items():
        others = [parts for arm, parts in arms.items() if arm != control]
        found = (
            trainings_needed(others, arms[control], combine_of(measure), difference, seed) if others else None
        )
        rows.append(
            {
                "measure": measure,
                "deviation over trainings": found and found.over_seeds,
                "error from the problems": found and found.over_problems,
                "trainings needed": found and found.needed,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def rounds_result(
    task: Task,
    config: RoundsResultConfig,
    table: pl.DataFrame,
    by_round: ByRound,
    measured: Mapping[str, Mapping[str, Floats]],
    seed: int,
) -> Result:
    curves = _curves(config, by_round)
    best = f"best of {config.rounds.best_of}, GPT*'s samples"
    shown = {"pass_at_1": "pass@1", "best_of": best}
    claimed = ["pass@1", best, STEP_F1, FOOLED_POOL]
    if config.rounds.searches:
        claimed += [
            f"{name}, {s.name}" for s in config.rounds.searches for name in (ACCURACY, FOOLED, CONDEMNED)
        ]
        claimed += [of_searched_pool(measure) for measure in (STEP_F1, FOOLED_POOL, CONDEMNED_POOL)]
    trainings = {}
    if config.rounds.detect:
        needed = _trainings(measured, config.control, config.rounds.detect, seed)
        trainings["trainings"] = Table(
            f"Trainings of each arm that find a true difference of {config.rounds.detect} in four of five experiments.",
            needed,
        )
    return Result(
        name="rounds",
        title=TITLE,
        question=QUESTION,
        claims=[*_contrasts(config, table, claimed), *_steadiness(config, by_round, seed)],
        tables={
            "arms": Table("Every arm after its last round, and its difference to the rounds.", table),
            "curves": Table("Every round's PRM on one fixed pool, mean over seeds.", curves),
            "spent": Table("What an arm labelled, trained and spent, mean over seeds.", _spent(task, config)),
            **trainings,
        },
        charts={
            **{name: _arms_chart(table, measure) for name, measure in shown.items()},
            **{
                name: _chart(curves, measure, f"{title}, by round")
                for name, measure, title in (
                    ("step_f1", STEP_F1, "Step F1 on a fixed pool"),
                    ("fooled", FOOLED_POOL, "Wrong answers that fool the PRM, fixed pool"),
                )
                if measure in curves["measure"]
            },
        },
        notes=[
            f"{config.rounds.rounds} rounds from the finished run's round 0, {config.seeds} seeds; the seeds vary the "
            "rounds, not what they start from.",
            f"All arms that train a PRM make {config.rounds.prm_updates} updates a round, all with RL "
            f"{config.rounds.policy_updates}; all that label rate the same number of solutions.",
            "The ORM stays that of round 0 in every arm, so differences are those of policy and PRM alone.",
            f"The fixed pool holds up to {config.rounds.pool_solutions} solutions of every arm's last policy, right "
            "and wrong alike, no solution twice. What an arm's policy learnt to write against that arm's own PRM is in "
            "it: an arm without RL has no such part, which flatters its PRM in step F1 and fooled. Best of "
            f"{config.rounds.best_of} is on GPT*'s samples, the same for all.",
            "Steadiness: the sum of all falls of the curve from one round to the next, with the selector retrained "
            "minus with PRM v0 selecting throughout.",
        ],
    )


def _contrasts(config: RoundsResultConfig, table: pl.DataFrame, measures: list[str]) -> list[Claim]:
    """What the control gains on each other arm: minus the difference in the table."""
    claims, says = [], {arm.name: arm.says for arm in config.arms}
    rows = table.filter((pl.col("arm") != config.control) & pl.col("measure").is_in(measures))
    for row in rows.iter_rows(named=True):
        value, low, high = (
            row[c] for c in (f"minus {config.control}", "difference, low", "difference, high")
        )
        short = _short(row["measure"])
        claims.append(
            Claim(
                f"{config.control}_minus_{row['arm']}_{short}",
                f"{config.control} minus {row['arm']} ({says[row['arm']]}): {row['measure']}.",
                None if value is None else -value,
                None if high is None else -high,
                None if low is None else -low,
                better="lower" if row["measure"].startswith((FOOLED, CONDEMNED)) else "higher",
                unit="points",
            )
        )
    return claims


def _short(measure: str) -> str:
    """A measure's name in that of a claim."""
    known = {PASS_AT_1: PASS_AT_1, STEP_F1: "step_f1", FOOLED_POOL: "fooled"}
    name = known.get(measure, measure)
    return "best_of" if name.startswith("best of") else name.replace(", ", "_").replace(" ", "_").lower()


def _steadiness(config: RoundsResultConfig, by_round: ByRound, seed: int) -> list[Claim]:
    """None where one of the two arms was not asked for."""
    if not {RETRAINED, FIXED} <= set(config.names):
        return []
    claims = []
    for measure in by_round[f"{FIXED}_0"][0]:
        retrained, fixed = (
            [
                np.stack([by_round[f"{arm}_{s}"][k][measure] for s in range(config.seeds)])
                for k in range(config.rounds.rounds + 1)
            ]
            for arm in (RETRAINED, FIXED)
        )
        combine = f1 if measure == STEP_F1 else spared
        interval = steadiness(retrained, fixed, combine, min(config.judge.resamples, 500), seed)
        claims.append(
            Claim(
                f"selector_falls_{'step_f1' if measure == STEP_F1 else 'fooled'}",
                "Retraining the selector every round makes the rounds unsteady (Lightman et al. 2023, 4.2): falls of "
                f"the curve of {measure}, retrained minus fixed; above 0 they were right.",
                *bounds(interval),
                better="lower",
                unit="points",
            )
        )
    return claims


def spared(sums: Floats) -> float:
    """Of the wrong answers, those that do not fool: a curve that should rise."""
    return 1 - share(sums)


def _arms_chart(table: pl.DataFrame, measure: str) -> Chart:
    rows = table.filter(pl.col("measure") == measure).with_columns(mean=pl.col("value")).to_dicts()
    return Chart(*arms_chart(rows, TITLE))


def _curves(config: RoundsResultConfig, by_round: ByRound) -> pl.DataFrame:
    rows = []
    for arm in config.names:
        for k in range(config.rounds.rounds + 1):
            for measure in by_round[f"{arm}_0"][k]:
                values = [
                    combine_of(measure)(by_round[f"{arm}_{s}"][k][measure].sum(0))
                    for s in range(config.seeds)
                ]
                rows.append(
                    {
                        "measure": measure,
                        "arm": arm,
                        "round": k,
                        "mean": float(np.mean(values)),
                        "std over seeds": float(np.std(values, ddof=1)) if len(values) > 1 else None,
                    }
                )
    return pl.DataFrame(rows, infer_schema_length=None).sort("measure", maintain_order=True)


def _chart(curves: pl.DataFrame, measure: str, title: str) -> Chart:
    shown = curves.filter((pl.col("measure") == measure) & (pl.col("arm") != "rl_without_labels"))
    series = [
        Series(
            str(arm).replace("_", " "),
            part["round"].to_list(),
            part["mean"].to_list(),
            color,
            part["std over seeds"].fill_null(0.0).to_list(),
        )
        for color, ((arm,), part) in zip(COLORS, shown.group_by("arm", maintain_order=True), strict=False)
    ]
    return Chart(series, Axis(title, "round", measure))


def _spent(task: Task, config: RoundsResultConfig) -> pl.DataFrame:
    rows = []
    for arm in config.names:
        for s in range(config.seeds):
            reported = stage_figures(task, f"{arm}_{s}")
            costs = training_cost(task, f"{arm}_{s}")
            costs.pop("updates")
            rows.append(
                {
                    "arm": arm,
                    "labelled solutions": sum(reported("labels", "solutions")),
                    "ratings": sum(reported("labels", "labels")),
                    "written steps": sum(reported("labels", "written_steps")),
                    "share right of the selected": pl.Series(reported("selection", "correct")).mean(),
                    "prm updates": sum(reported("prm", "updates")),
                    "policy updates": sum(reported("policy", "updates")),
                    **costs,
                }
            )
    spent = pl.DataFrame(rows).group_by("arm", maintain_order=True).mean()
    return spent if spent["written steps"].sum() else spent.drop("written steps")


def stage_figures(task: Task, evaluation: str) -> Callable[[str, str], list[float]]:
    """(stage, figure) -> its values in the order of the rounds, of the variant that an evaluated policy comes from."""
    reports = sorted(
        ((key, report) for key, report in task.ancestry(evaluation) if key.startswith(f"{PART}/")),
        key=lambda keyed: keyed[0],
    )

    def values(stage: str, figure: str) -> list[float]:
        return [
            float(report.figures[figure] or 0.0)
            for key, report in reports
            if key.rpartition("/")[2] == stage and figure in report.figures
        ]

    return values
