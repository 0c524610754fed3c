"""ablations/rl/result: what each form of reward made of GPT*, and where the reward models came to believe too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Outcome, StageConfig, Task
from o1_assets.core.plots import Axis, Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.statistics import Floats, Interval, bounds, interval
from o1_assets.experiments.arms import DECIDES, ArmWords, arms_result, measured
from o1_assets.experiments.measure import runs_of
from o1_assets.experiments.result import Chart, Claim, Table, write_result

# What was watched along the trainings: curves of belief against truth, and how far they drift apart.
#
# The frame has a row an arm, seed and update. Equal seeds of different arms saw the same problems in the same update,
# so that differences of two arms at an update are of equal problems.

COLORS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.PURPLE, plots.SKY, plots.GREY)

# prm - true: how much more the PRM believes in the policy's solutions than is right of them.
GAP = "gap"

# Columns of the table of trainings, as they are called there.
SHOWN = {
    "reward": "PRM's step values, summed",
    "true": "right",
    "prm": "PRM's belief",
    "orm": "ORM's belief",
    GAP: "PRM's belief - right",
    "tokens": "tokens",
    "steps": "steps",
    "check": "`check` steps",
    "wait": "`wait` steps",
    "repeated": "repeated steps",
    "neutral": "P(neutral)",
}


def with_gap(watched: pl.DataFrame) -> pl.DataFrame:
    return watched.with_columns(
        (pl.col("prm") - pl.col("true")).alias(GAP), (pl.col("orm") - pl.col("true")).alias("orm_gap")
    )


def by_update(watched: pl.DataFrame, arm: str, column: str) -> Floats:
    """A column of an arm's trainings, [seeds, updates]."""
    of_arm = watched.filter(pl.col("arm") == arm).sort("seed", "update")
    return np.stack([part[column].to_numpy() for _, part in of_arm.group_by("seed", maintain_order=True)])


def windows(values: Floats, count: int) -> tuple[list[float], list[float]]:
    """(the last update of each of `count` equal parts, the part's mean over updates and seeds)."""
    parts = np.array_split(np.arange(values.shape[1]), min(count, values.shape[1]))
    return [float(part[-1] + 1) for part in parts], [float(values[:, part].mean()) for part in parts]


def quarters(values: Floats) -> tuple[Floats, Floats]:
    """The first and the last quarter of the updates, [seeds, updates / 4], at least two of them."""
    size = max(2, values.shape[1] // 4)
    return values[:, :size], values[:, -size:]


def growth(values: Floats, resamples: int, seed: int) -> Interval:
    """Mean of the last quarter of the updates minus that of the first, over seeds and updates.

    Updates are resampled in pairs, one of each quarter: their problems are drawn independently.
    """
    first, last = quarters(values)
    return interval(last - first, resamples, seed)


def curve_charts(watched: pl.DataFrame, arms: Sequence[str], count: int) -> dict[str, Chart]:
    """arms: those that were trained."""
    bare = [arm for arm in arms if arm.startswith("process")]
    charts = {
        "truth": (arms, "true", "Right solutions along the training", "share right", True),
        "length": (arms, "tokens", "Length of a solution along the training", "tokens", False),
        "checks": (arms, "check", "Steps that only check", "share of steps", True),
        "repeats": (arms, "repeated", "Steps that the solution had already", "share of steps", True),
    }
    if bare:
        charts["belief_minus_truth"] = (
            bare, GAP, "How much more the PRM believes than is right", "belief - share right", True,
        )  # fmt: skip
    drawn = {
        name: Chart([_line(watched, arm, column, count, i) for i, arm in enumerate(shown_arms)],
                    Axis(title, "update", unit, percent=percent))
        for name, (shown_arms, column, title, unit, percent) in charts.items()
    }  # fmt: skip
    pair = [arm for arm in ("process_bare", "process") if arm in arms]
    if pair:
        drawn["belief_and_truth"] = Chart(
            [
                _line(watched, arm, column, count, i, f"{arm}: {SHOWN[column]}", column == "prm")
                for i, arm in enumerate(pair)
                for column in ("prm", "true")
            ],
            Axis("What the PRM believes, and what is right", "update", "share of solutions"),
        )
    return drawn


# What growth_table shows.
GROWS = ("reward", "true", GAP, "orm_gap", "steps", "tokens", "check", "repeated", "wait")


def growth_table(watched: pl.DataFrame, arms: Sequence[str], resamples: int, seed: int) -> Table:
    """A row an arm and column: `growth` with its interval."""
    rows = []
    for arm in arms:
        for column in GROWS:
            grown = growth(by_update(watched, arm, column), resamples, seed)
            name = SHOWN.get(column, "ORM's belief - right")
            rows.append(
                {"arm": arm, "what": name, "growth": grown.mean, "low": grown.low, "high": grown.high}
            )
    return Table(
        "Growth from the first quarter of the updates to the last, with 95% intervals", pl.DataFrame(rows)
    )


def _line(
    watched: pl.DataFrame,
    arm: str,
    column: str,
    count: int,
    place: int,
    label: str = "",
    dashed: bool = False,
) -> Series:
    x, y = windows(by_update(watched, arm, column), count)
    dashed = dashed or place >= len(COLORS)
    return Series(label or arm, x, y, COLORS[place % len(COLORS)], style="dashed" if dashed else "line")


def curve_table(watched: pl.DataFrame, arms: Sequence[str]) -> Table:
    """A row an arm: means of the last quarter of the updates over all seeds, and of the first for what is right."""
    rows: list[dict[str, object]] = []
    for arm in arms:
        values = {column: by_update(watched, arm, column) for column in SHOWN}
        ends = {SHOWN[column]: float(quarters(v)[1].mean()) for column, v in values.items()}
        starts = {
            f"{SHOWN[column]}, first": float(quarters(values[column])[0].mean()) for column in ("true", GAP)
        }
        rows.append({"arm": arm, **starts, **ends})
    return Table(
        "The last quarter of the trainings, on the policy's own samples of training problems",
        pl.DataFrame(rows),
    )


# Sentences about differences, read off their intervals.


def points(interval: Interval) -> str:
    """+4.1 points (95%: +1.0 to +7.3)."""
    return f"{100 * interval.mean:+.1f} points (95%: {100 * interval.low:+.1f} to {100 * interval.high:+.1f})"


def sign(interval: Interval) -> int:
    """1 or -1 where the whole interval lies above or below 0, else 0."""
    return int(interval.low > 0) - int(interval.high < 0)


def compared(what: str, difference: Interval) -> str:
    """What was compared, by how much it differs, and whether that is more than noise."""
    verdict = {1: "better", -1: "worse", 0: "no difference beyond noise"}[sign(difference)]
    return f"{what}: {verdict}, {points(difference)}."


START, BARE = "start", "process_bare"
TITLE = "What RL is rewarded for"
QUESTION = "What should the policy be rewarded for, and what keeps a process reward from being hacked?"

# (arm, what it is compared with).
PAIRS = (
    ("process", "outcome"),
    ("both_sum", "outcome"),
    ("both_sum", "process"),
    ("both_minimum", "both_sum"),
    ("both_kl", "both_sum"),
    ("both_search", "both_sum"),
    ("process", BARE),
    ("process_prefix", BARE),
    ("process_neutral", BARE),
    ("process_repeats", BARE),
    ("grader", "both_sum"),
)

# Charts of the trainings, beside one a measure.
CHARTS = 6
GUARDED = ("process", "process_prefix", "process_neutral", "process_repeats")


class RLResultConfig(StageConfig):
    """arms: GPT* as it is first, then those that were trained."""

    arms: tuple[ArmWords, ...]
    seeds: int
    windows: int
    judge: EvalConfig


def make_rl_result(task: Task, config: RLResultConfig) -> Outcome:
    """Inputs: <arm>_<seed>, the evaluations, and <arm>_<seed>_policy of each arm that was trained.

    Writes runs.parquet and watched.parquet beside what `write_result` does.
    """
    arms = [arm.name for arm in config.arms]
    runs = runs_of(task, arms, config.seeds)
    watched = with_gap(
        pl.concat(
            read_parquet(task.inputs[f"{arm}_{seed}_policy"] / "watched.parquet").with_columns(
                arm=pl.lit(arm), seed=pl.lit(seed)
            )
            for arm in arms[1:]
            for seed in range(config.seeds)
        )
    )
    runs.write_parquet(task.out / "runs.parquet")
    watched.write_parquet(task.out / "watched.parquet")
    seed, resamples = derive_seed(task.seed, "bootstrap"), config.judge.resamples
    whole = arms_result("rl", TITLE, QUESTION, config.arms, runs, config.judge, seed)
    values = measured(runs, arms, DECIDES)
    compare, sentences = comparisons(values, resamples, seed)
    hacked, told = hacking(watched, values, resamples, seed)
    result = replace(
        whole,
        claims=[*whole.claims, *compare, *hacked],
        tables={
            **whole.tables,
            "training": curve_table(watched, arms[1:]),
            "growth": growth_table(watched, arms[1:], resamples, seed),
        },
        charts={**whole.charts, **curve_charts(watched, arms[1:], config.windows)},
    ).with_notes(*sentences, *told, *LIMITS)
    write_result(task.out, result)
    figures = {f"{DECIDES} {arm}": float(values[arm].mean()) for arm in arms}
    return Outcome({**figures}, rows=runs.height, sample=result.tables["training"].frame.to_dicts())


LIMITS = (
    "The beliefs and what is right along the training are of the policy's own samples of the training problems, whose "
    "answers are looked at for these curves and by the arm `grader` alone.",
    "The guards against a neutral step and for the prefix are switched off in the ratings that the training reads: a "
    "neutral step then counts as a right one, as it does in a solution's score. An empty step costs in all arms.",
    "All arms make equal updates on equally many solutions; searched ones cost more tokens. What KL's reference model "
    "reads is not in the costs. Growth is from the first quarter of the updates to the last: what is hacked within the "
    "first shows less.",
    "Best of N is chosen by the PRM that rewarded the training: pass@1 and greedy judge independently of it.",
)


def comparisons(values: dict[str, Floats], resamples: int, seed: int) -> tuple[list[Claim], list[str]]:
    """Of every pair that was trained the difference in DECIDES, and a sentence each."""
    claims: list[Claim] = []
    sentences: list[str] = []
    for arm, other in PAIRS:
        if arm in values and other in values:
            difference = interval(values[arm] - values[other], resamples, seed)
            says = f"{DECIDES} of {arm} minus that of {other}"
            claims.append(Claim(f"rl.{arm}_minus_{other}", says, *bounds(difference)))
            sentences.append(compared(f"{arm} against {other}, {DECIDES}", difference))
    return claims, sentences


def hacking(
    watched: pl.DataFrame, values: dict[str, Floats], resamples: int, seed: int
) -> tuple[list[Claim], list[str]]:
    """How far the PRM's belief outgrew the truth, from the first to the last quarter of the updates, in each arm.

    The arm without guards was hacked if what it is rewarded for and the PRM's belief beyond the truth grew, both beyond
    noise, and what is right did not; it was not if what is right grew. A
    guard narrows the gap if with it the belief at the end exceeds the truth by less.
    """
    claims: list[Claim] = []
    gaps = {arm: by_update(watched, arm, GAP) for arm in watched["arm"].unique(maintain_order=True).to_list()}
    for arm, gap in gaps.items():
        grown = growth(gap, resamples, seed)
        says = f"{arm}: by how much the PRM's belief outgrew what is right along the training"
        claims.append(Claim(f"rl.{arm}_gap_growth", says, *bounds(grown), better="lower", unit="points"))
    if BARE not in gaps:
        return claims, []
    reward, true, beyond = (
        growth(by_update(watched, BARE, column), resamples, seed) for column in ("reward", "true", GAP)
    )
    sentences = [bare_says(reward, true, beyond, interval(values[BARE] - values[START], resamples, seed))]
    end = {arm: quarters(gap)[1] for arm, gap in gaps.items()}
    for arm in GUARDED:
        if arm in gaps:
            less = interval(end[arm] - end[BARE], resamples, seed)
            name = f"rl.{arm}_gap_minus_bare"
            says = f"{arm}: belief minus truth in the last quarter, less that of {BARE}"
            claims.append(Claim(name, says, *bounds(less), better="lower", unit="points"))
            truth = interval(values[arm] - values[BARE], resamples, seed)
            sentences.append(guard_says(arm, less, truth))
    return claims, sentences


def bare_says(reward: Interval, true: Interval, gap: Interval, moved: Interval) -> str:
    """Whether the process reward without guards was hacked, and what became of the policy. reward, true, gap: growth
    along the training; moved: DECIDES against GPT*."""
    if sign(reward) > 0 and sign(gap) > 0 and sign(true) <= 0:
        hacked = "was hacked"
    elif sign(true) > 0:
        hacked = "was not hacked"
    else:
        hacked = "was neither clearly hacked nor clearly not"
    return (
        f"Without guards the process reward {hacked}: what a solution is rewarded with grew by {reward.mean:+.2f} "
        f"(95%: {reward.low:+.2f} to {reward.high:+.2f}), what is right by {points(true)}, the PRM's belief beyond it "
        f"by {points(gap)}; {DECIDES} on held-out problems moved by {points(moved)}."
    )


def guard_says(arm: str, less: Interval, truth: Interval) -> str:
    """less: the gap between belief and truth against that without guards; truth: DECIDES against it."""
    closes = {-1: "narrows", 0: "does not change beyond noise", 1: "widens"}[sign(less)]
    return f"{arm} {closes} the gap of {BARE} at the end, by {points(less)}, and moves {DECIDES} by {points(truth)}."
