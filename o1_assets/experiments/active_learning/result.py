"""ablations/active/result: every way of choosing against uniform choice, by labelled solution and by rated step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Figures, Outcome, Task
from o1_assets.core.plots import Axis, Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.statistics import Floats, Interval, bounds, interval, interval_of_means
from o1_assets.experiments.active_learning.config import SAYS, STRATEGIES, ActiveResultConfig
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result

# Accuracy against labels, a line a strategy.

COLORS = dict(zip(STRATEGIES, (plots.GREY, plots.BLUE, plots.ORANGE), strict=True))
LABELS = dict(zip(STRATEGIES, ("uniform", "80/20 wrong", "uncertain"), strict=True))
TITLES = {"scratch": "PRMs from the chosen labels alone", "added": "Chosen labels added to phase 1"}


def chart(rows: pl.DataFrame, measure: str, column: str, words: str, setting: str) -> Chart:
    """rows: of one setting, as the table "sizes" has them. column: what x is; bands are the standard error."""
    series = []
    for strategy in STRATEGIES:
        curve = rows.filter(pl.col("strategy") == strategy)
        x, y, error = (curve[name].cast(pl.Float64).to_list() for name in (column, "accuracy", "error"))
        series.append(Series(LABELS[strategy], x, y, COLORS[strategy], spread=error))
    ticks = rows["solutions"].unique().sort().cast(pl.Float64).to_list() if column == "solutions" else None
    # Rated steps differ from strategy to strategy: powers of two that lie between them are ticks for all.
    if ticks is None:
        lowest, highest = rows[column].min(), rows[column].max()
        ticks = [2.0**k for k in range(4, 24) if float(str(lowest)) <= 2.0**k <= float(str(highest))]
    return Chart(series, Axis(f"{TITLES[setting]}: {measure}", words, "accuracy", log2=True, ticks=ticks))


UNIFORM = STRATEGIES[0]
SOLUTIONS, STEPS = "labelled solutions", "rated steps"
WITH_SELECTOR = "labelled solutions, the selector's included"

# What `active_slope_ratio` is read off; why: ActiveConfig.
CLAIMED = ("scratch", "convincing_wrong", SOLUTIONS)
TARGET, PAPER = 1.5, 2.6


@dataclass(frozen=True)
class MeasuredArm:
    """best: accuracy [sizes, seeds, problems] of best of N; steps: rated, mean over seeds, of each size."""

    setting: str
    strategy: str
    best: Floats
    steps: Floats
    table: pl.DataFrame


def make_result(task: Task, config: ActiveResultConfig) -> Outcome:
    """Inputs: <setting>_<strategy>_<seed>."""
    arms: dict[tuple[str, str], MeasuredArm] = {
        (s, t): _arm(task, config, s, t) for s in config.settings for t in STRATEGIES
    }
    # One seed for all comparisons: each resamples the same trainings and problems.
    seed = derive_seed(task.seed, "bootstrap")
    sizes = _sizes(arms.values(), config, seed)
    savings: Savings = {
        (setting, strategy, x): saving(
            arms[setting, strategy].best,
            _labels(arms[setting, strategy], x, config),
            arms[setting, UNIFORM].best,
            _labels(arms[setting, UNIFORM], x, config),
            config.resamples,
            seed,
        )
        for setting in config.settings
        for strategy in STRATEGIES
        for x in (SOLUTIONS, STEPS, *([WITH_SELECTOR] if setting == "scratch" else []))
    }
    n = config.samples
    result = Result(
        name="active",
        title="Active learning",
        question="How many labels does it save to choose which solutions are labelled?",
        claims=_claims(savings),
        tables={
            "slopes": Table(
                f"Accuracy of best-of-{n} a doubling of labels, against uniform choice", slopes_table(savings)
            ),
            "sizes": Table(f"Best-of-{n}, fooled rate and step F1 of every arm and size", sizes),
        },
        charts={
            f"{setting}_{name}": chart(
                sizes.filter(pl.col("setting") == setting), f"best of {n}", column, words, setting
            )
            for setting in config.settings
            for name, column, words in (
                ("solutions", "solutions", SOLUTIONS),
                ("steps", "rated_steps", STEPS),
            )
        },
        notes=_notes(arms, savings, config),
    )
    write_result(task.out, result)
    figures: Figures = {claim.name: claim.value for claim in result.claims}
    return Outcome(figures, rows=sizes.height, sample=slopes_table(savings).to_dicts())


# A label efficiency beyond a factor of 2**10 either way is not told from that factor.
DOUBLINGS = 10.0


@dataclass(frozen=True)
class Saving:
    """slope: accuracy a doubling of labels. ratio: of the slopes. efficiency: uniform labels for one of these.

    ratio and efficiency are None where the uniform slope is not distinguishable from 0 (its interval reaches 0).
    """

    slope: Interval
    ratio: Interval | None
    efficiency: Interval | None


def slope_weights(x: Sequence[float]) -> Floats:
    """Weights of y [K] whose sum is the slope of the least-squares line against x [K]."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return np.asarray(centred / (centred**2).sum())


def saving(
    chosen: Floats, x: Sequence[float], uniform: Floats, uniform_x: Sequence[float], resamples: int, seed: int
) -> Saving:
    """chosen, uniform: accuracy [sizes, seeds, problems]; x, uniform_x: log2 of the labels of each size.

    ratio is that of Lightman et al. 2023, section 4.2: slopes of the best-fit lines. It says how fast two lines rise
    and not which is higher: a strategy that is far worse with few labels and just as good with many has a ratio above
    1. efficiency is the horizontal distance of the lines at the middle of `chosen`: 2 to the power of
    (mean(uniform_x) + (mean(chosen) - mean(uniform)) / slope of uniform - mean(x)).
    """
    # A slope is linear in accuracy, so each seed and problem has its own: [seeds, problems].
    rises, uniform_rises = (
        np.asarray(np.tensordot(slope_weights(labels), accuracy, 1), dtype=np.float64)
        for labels, accuracy in ((x, chosen), (uniform_x, uniform))
    )
    slope = interval(rises, resamples, seed)
    # Divided by a slope that may be 0, a ratio has no finite interval.
    if interval(uniform_rises, resamples, seed).low <= 0:
        return Saving(slope, None, None)
    # The middles of the two sets of sizes differ where labels are counted by steps.
    apart = float(np.mean(uniform_x) - np.mean(x))
    gained: Floats = np.asarray(chosen.mean(0) - uniform.mean(0), dtype=np.float64)

    def efficiency(gain: float, slope: float) -> float:
        doublings = gain / slope if slope else np.copysign(np.inf, gain)
        return float(2.0 ** np.clip(doublings + apart, -DOUBLINGS, DOUBLINGS))

    return Saving(
        slope,
        interval_of_means(lambda a, b: a / b if b else np.inf, (rises, uniform_rises), resamples, seed),
        interval_of_means(efficiency, (gained, uniform_rises), resamples, seed),
    )


def _arm(task: Task, config: ActiveResultConfig, setting: str, strategy: str) -> MeasuredArm:
    tables = []
    for seed in range(config.seeds):
        table = read_parquet(task.inputs[f"{setting}_{strategy}_{seed}"] / "sizes.parquet")
        tables.append(table.with_columns(seed=pl.lit(seed)))
    # [seeds, sizes, problems]; the sizes come first in a MeasuredArm.
    best = np.array([table[f"best_of_{config.samples}"].to_list() for table in tables], dtype=np.float64)
    steps = np.array([table["steps"].to_list() for table in tables], dtype=np.float64).mean(0)
    return MeasuredArm(setting, strategy, best.swapaxes(0, 1), steps, pl.concat(tables))


def _labels(arm: MeasuredArm, x: str, config: ActiveResultConfig) -> list[float]:
    """log2 of the labels of each size.

    x WITH_SELECTOR: a strategy needs a selector, whose own labels uniform choice saves.
    """
    if x == STEPS:
        return [float(v) for v in np.log2(arm.steps)]
    more = config.selector_solutions if x == WITH_SELECTOR and arm.strategy != UNIFORM else 0
    return [float(np.log2(n + more)) for n in config.sizes]


def _sizes(arms: Any, config: ActiveResultConfig, seed: int) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for arm in arms:
        for k, n in enumerate(config.sizes):
            trainings = arm.table.filter(pl.col("solutions") == n)
            best = interval(arm.best[k], config.resamples, seed)
            columns = pl.col("right", "fooled", "step_f1").cast(pl.Float64)
            means = trainings.select(columns.mean()).row(0, named=True)
            rows.append(
                {
                    "setting": arm.setting,
                    "strategy": arm.strategy,
                    "solutions": n,
                    "rated_steps": float(arm.steps[k]),
                    "right_answers": means["right"],
                    "accuracy": best.mean,
                    "low": best.low,
                    "high": best.high,
                    "error": best.error,
                    "fooled": means["fooled"],
                    "step_f1": means["step_f1"],
                }
            )
    return pl.DataFrame(rows)


# (setting, strategy, what counts as labels) -> its saving.
Savings = Mapping[tuple[str, str, str], Saving]


def slopes_table(savings: Savings) -> pl.DataFrame:
    """A row a setting, strategy and way of counting labels."""
    rows = []
    for (setting, strategy, x), saved in savings.items():
        row: dict[str, Any] = {"setting": setting, "strategy": strategy, "against": x}
        for name in ("slope", "ratio", "efficiency"):
            # A strategy against itself has a ratio of 1, which says nothing.
            shown = name == "slope" or strategy != UNIFORM
            columns = (name, f"{name}_low", f"{name}_high")
            row |= dict(zip(columns, bounds(getattr(saved, name) if shown else None), strict=True))
        rows.append(row)
    numbers = [f"{name}{end}" for name in ("slope", "ratio", "efficiency") for end in ("", "_low", "_high")]
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(numbers, pl.Float64))


def _claims(savings: Savings) -> list[Claim]:
    claims = []
    for (setting, strategy, x), saved in savings.items():
        if strategy == UNIFORM or x != SOLUTIONS:
            continue
        claimed = (setting, strategy, x) == CLAIMED
        ending = ("" if setting == "scratch" else "_added") + ("" if strategy == CLAIMED[1] else "_uncertain")
        where = f"{SAYS[strategy]}, PRMs {SAYS[setting]}"
        ratio = f"Slope of accuracy against labelled solutions, divided by that of uniform choice: {where}"
        if claimed:
            ratio += f" (Lightman et al. 2023: {PAPER})"
        efficiency = f"Uniformly chosen solutions that reach what one chosen solution reaches: {where}"
        for name, says, measured, target in (
            ("active_slope_ratio", ratio, saved.ratio, TARGET if claimed else None),
            ("active_label_efficiency", efficiency, saved.efficiency, None),
        ):
            claims.append(Claim(name + ending, says, *bounds(measured), target, unit="number"))
    return claims


def _notes(
    arms: Mapping[tuple[str, str], MeasuredArm], savings: Savings, config: ActiveResultConfig
) -> Sequence[str]:
    claimed, against = arms[CLAIMED[:2]], arms[CLAIMED[0], UNIFORM]
    # [sizes]: by how much 80/20 is ahead at each.
    gaps = claimed.best.mean((1, 2)) - against.best.mean((1, 2))
    ahead = int((gaps > 0).sum())
    notes = [
        f"Chosen from {config.policy}'s solutions of train problems, judged on its solutions of held-out ones. "
        f"Labels are the exact checker's, to the first wrong step. Equal updates at every size; {config.seeds} "
        "trainings; intervals are over trainings and problems together.",
        "A ratio of slopes says how fast accuracy rises and not which way of choosing is ahead: one that is behind "
        "with few labels and level with many has a ratio above 1. The label efficiency says which is ahead, read at "
        f"the middle of the sizes. By labels, 80/20 {SAYS['scratch']} is ahead at {ahead} of {len(gaps)} sizes "
        f"({', '.join(f'{n}: {gap:+.3f}' for n, gap in zip(config.sizes, gaps, strict=True))}).",
        f"The selector's own {config.selector_solutions} labelled solutions (from scratch) are not counted in the "
        "claims, as in the paper; the table of slopes counts them too.",
    ]
    if "added" in config.settings:
        notes.append(
            "Added to phase 1 the selector is PRM v0 in all trainings, so 80/20 and uncertain choose the same "
            "solutions in each, while uniform draws anew: their intervals do not hold the noise of choosing."
        )
    notes.append("Pool, held-out samples and policy are the same throughout.")
    for setting in config.settings:
        if savings[setting, CLAIMED[1], SOLUTIONS].ratio is None:
            notes.append(
                f"PRMs {SAYS[setting]}: the slope of uniform choice is not distinguishable from 0, so there is no "
                "ratio to it."
            )
    return notes
