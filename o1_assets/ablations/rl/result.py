"""ablations/rl/result: what each form of reward made of GPT*, and where the reward models came to believe too much."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from o1_assets.ablations.arms import DECIDES, ArmWords, arms_result, measured
from o1_assets.ablations.intervals import Floats, Interval, interval
from o1_assets.ablations.judge import judge_arms
from o1_assets.ablations.judge_config import JudgeConfig
from o1_assets.ablations.result import Claim, write_result
from o1_assets.ablations.rl.curves import (
    GAP,
    by_update,
    curve_charts,
    curve_table,
    growth,
    growth_table,
    quarters,
    with_gap,
)
from o1_assets.ablations.rl.verdicts import compared, points, sign
from o1_assets.artifact import Outcome, StageConfig, Task
from o1_assets.seeds import derive_seed

START, BARE = "start", "process_bare"
TITLE = "What RL is rewarded for"
QUESTION = "What should the policy be rewarded for, and what keeps a process reward from being hacked?"
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
"""(arm, what it is compared with)."""
CHARTS = 6
"""Charts of the trainings, beside one a measure."""
GUARDED = ("process", "process_prefix", "process_neutral", "process_repeats")


class RLResultConfig(StageConfig):
    """arms: GPT* as it is first, then those that were trained."""

    arms: tuple[ArmWords, ...]
    seeds: int
    windows: int
    judge: JudgeConfig


def make_rl_result(task: Task, config: RLResultConfig) -> Outcome:
    """Inputs: <arm>_<seed> (policies with their cost and what was watched), generator, prm, orm, test (problems).

    Writes runs.parquet and watched.parquet beside what `write_result` does.
    """
    arms = [arm.name for arm in config.arms]
    runs, cost = judge_arms(task, arms, config.seeds, config.judge)
    watched = with_gap(
        pl.concat(
            pl.read_parquet(task.inputs[f"{arm}_{seed}"] / "watched.parquet").with_columns(
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
    return Outcome({**figures}, cost, runs.height, result.tables["training"].frame.to_dicts())


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
            found = interval(values[arm] - values[other], resamples, seed)
            says = f"{DECIDES} of {arm} minus that of {other}"
            claims.append(Claim(f"rl.{arm}_minus_{other}", says, found.mean, found.low, found.high))
            sentences.append(compared(f"{arm} against {other}, {DECIDES}", found))
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
        claims.append(
            Claim(
                f"rl.{arm}_gap_growth", says, grown.mean, grown.low, grown.high, better="lower", unit="points"
            )
        )
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
            claims.append(Claim(name, says, less.mean, less.low, less.high, better="lower", unit="points"))
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
