"""ablations/thinking/result: what thinking buys, and how much training it replaces. It trains and samples nothing.

It is part of `thinking`: all that it reads is made by `o1 run --with thinking`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pydantic import Field

from o1_assets.core import plots
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.formatting import count
from o1_assets.core.plots import Axis, Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation import charts
from o1_assets.evaluation.best_of_n import MAJORITY, PASS
from o1_assets.evaluation.evaluate_policy import PRM
from o1_assets.evaluation.statistics import Floats, Interval, bounds
from o1_assets.evaluation.versions import ALL, GENERATOR
from o1_assets.experiments.experiment import PART, ablation, estimate_tables
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result
from o1_assets.experiments.thinking.claims import MODELS, Measure, minus
from o1_assets.experiments.thinking.exchange import Surface, read_surface
from o1_assets.experiments.thinking.ways import asking_claims, asking_frame, prompting_claims, prompting_frame

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

QUESTION = "What does thinking longer buy, in which way, and how much training does it replace?"


class ThoughtConfig(StageConfig):
    """ablations/thinking."""

    levels: tuple[float, ...] = Field(
        (0.5, 0.75, 0.9),
        min_length=1,
        description="accuracies at which training and thinking are compared: shares of the way from the first version "
        "to the last, each with one chain; the middle one is the figure",
    )
    resamples: int = Field(1000, gt=0, description="bootstrap samples of problems")


def artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    inputs = {
        "summary": "eval/summary",
        "thinking": "eval/thinking",
        "prompting": "eval/prompting",
        "generator": "generator/model",
        "generator_eval": "eval/generator",
        "policy_eval": "eval/baby_o1",
        **{f"eval_{k}": f"r{k}/eval" for k in rounds},
        **{f"version_{k}": f"r{k}/policy" for k in rounds},
    }
    key, config = f"{PART}/thinking/result", profile.ablations.thinking
    result = ablation(
        profile, key, make_thought, config, inputs, QUESTION, opens_models=False, estimate=estimate_tables
    )
    # The other experiments take hours; this one takes seconds after eval/thinking.
    return [replace(result, part="thinking")]


def make_thought(task: Task, config: ThoughtConfig) -> Outcome:
    """Inputs: summary, thinking, prompting, generator (GPT*), generator_eval, policy_eval; eval_NN, version_NN of each
    round."""
    thinking = {
        name: read_parquet(task.inputs["thinking"] / f"{name}.parquet")
        for name in ("points", "prompting", "waits")
    }
    asked = read_parquet(task.inputs["prompting"] / "prompting.parquet")
    seed = derive_seed(task.seed, "bootstrap")
    measure = Measure(config.resamples, seed)
    corrections = read_parquet(task.inputs["summary"] / "corrections.parquet").sort("round").to_dicts()
    passes = read_parquet(task.inputs["summary"] / "pass_at_k.parquet").to_dicts()
    surfaces = {
        "majority": _surface(task, MAJORITY, with_generator=True),
        # GPT*'s solutions are judged by the newest PRM, whose training is none of GPT*'s.
        "prm": _surface(task, PRM, with_generator=False),
    }
    claims = [
        *_exchange_claims(surfaces, config, seed),
        *prompting_claims(measure, thinking["prompting"]),
        *asking_claims(measure, asked),
        *_limit_claims(measure, thinking["points"]),
        *_tree_claims(measure, thinking["points"]),
        *_pass_claims(measure, task.inputs["generator_eval"], task.inputs["policy_eval"]),
        *_doubt_claims(corrections),
    ]
    lines = {f"exchange_{name}": _iso_chart(name, surface, config) for name, surface in surfaces.items()}
    # No version of a short run may lie between two others.
    lines = {name: chart for name, chart in lines.items() if chart.series}
    result = Result(
        "thinking",
        "What thinking buys, and how much training it replaces",
        QUESTION,
        claims,
        {
            "exchange": Table(
                "Chains a problem and training that reach the same accuracy", _iso_frame(surfaces, config)
            ),
            "prompting": Table(
                "Ways of thinking at equal tokens (votes and tree)", prompting_frame(thinking["prompting"])
            ),
            "asking": Table(
                "Ways of prompting, and of fine-tuning the base, one chain each", asking_frame(asked)
            ),
            "doubts": Table("Self-correction of each version", _doubt_frame(corrections)),
        },
        {
            **lines,
            "limits": Chart(*charts.limits_chart(thinking["points"].to_dicts())),
            "waits": Chart(*charts.waits_chart(thinking["waits"].to_dicts())),
            "pass_at_k": Chart(*charts.pass_at_k(passes)),
        },
        _notes(surfaces),
        {"exchange": list(lines)} if lines else {},
    )
    write_result(task.out, result)
    return Outcome({claim.name: claim.value for claim in claims}, rows=len(claims))


# The exchange rate.

FOLLOWED = {
    "majority": "majority vote, GPT* and every version",
    "prm": "the choice by the version's own PRM, baby-o1 v0 and later",
}


def _surface(task: Task, selector: str, with_generator: bool) -> Surface:
    rounds = sorted(name.removeprefix("eval_") for name in task.inputs if re.fullmatch(r"eval_\d+", name))
    evals = {f"version_{k}": task.inputs[f"eval_{k}"] for k in rounds}
    if with_generator:
        evals = {"generator": task.inputs["generator_eval"], **evals}
    return read_surface(evals, {name: task.cost_of(name).flops for name in evals}, selector)


def _exchange_claims(surfaces: Mapping[str, Surface], config: ThoughtConfig, seed: int) -> list[Claim]:
    level = config.levels[len(config.levels) // 2]
    claims = []
    for name, surface in surfaces.items():
        of = surface.exchange_rate(surface.between(level), config.resamples, seed)
        says = (
            f"doublings of training that one doubling of the chains replaces, {FOLLOWED[name]}, at the accuracy "
            f"{level:g} of the way from the first version's to the last one's with one chain"
        )
        claims.append(Claim(f"training_for_thinking_{name}", says, *bounds(of), unit="number"))
    return claims


def _iso_frame(surfaces: Mapping[str, Surface], config: ThoughtConfig) -> pl.DataFrame:
    rows = []
    for name, surface in surfaces.items():
        for level in config.levels:
            accuracy = surface.between(level)
            rate = surface.exchange_rate(accuracy, config.resamples, 0)
            line = surface.iso_line(accuracy)
            row: dict[str, Any] = {
                "choice": "majority" if name == "majority" else "PRM",
                "accuracy": accuracy,
            }
            row |= {
                f"{n:g} chain{'s' if n > 1 else ''}": None if np.isnan(x) else count(2**x)
                for n, x in zip(surface.chains, line, strict=True)
            }
            rows.append({**row, "doublings of training for one of thinking": _with_interval(rate)})
    return pl.DataFrame(rows, infer_schema_length=None)


def _with_interval(of: Interval | None) -> str | None:
    return None if of is None else f"{of.mean:.2f} ({of.low:.2f} to {of.high:.2f})"


def _iso_chart(name: str, surface: Surface, config: ThoughtConfig) -> Chart:
    colors = (plots.ORANGE, plots.BLUE, plots.GREEN, plots.PURPLE, plots.RED)
    series = []
    for level, color in zip(config.levels, colors, strict=False):
        accuracy = surface.between(level)
        line = surface.iso_line(accuracy) - np.log2(surface.training[0])
        known = ~np.isnan(line)
        if known.any():
            label = f"{100 * accuracy:.0f}% right"
            series.append(Series(label, surface.chains[known].tolist(), line[known].tolist(), color))
    first = "GPT*" if name == "majority" else "v0"
    choice = "majority vote" if name == "majority" else "the PRM's choice"
    axis = Axis(
        f"Equal accuracy, {choice}",
        "chains a problem",
        f"doublings of training after {first}",
        log2=True,
        percent=False,
    )
    return Chart(series, axis)


def _of(points: pl.DataFrame, model: str) -> dict[tuple[str, int], tuple[float, Floats]]:
    """(strategy, budget) -> tokens generated, and what was right of each problem."""
    rows = points.filter((pl.col("model") == model) & (pl.col("difficulty") == ALL)).to_dicts()
    return {(r["strategy"], r["budget"]): (r["generated"], np.array(r["right"])) for r in rows}


def _limit_claims(measure: Measure, points: pl.DataFrame) -> list[Claim]:
    claims = []
    for model, short in MODELS.items():
        right = {key: values for key, (_, values) in _of(points, model).items()}
        limits = sorted(n for strategy, n in right if strategy == "chain, cut off")
        if limits:
            n = limits[len(limits) // 2]
            gain = minus(right, ("chain, answer forced", n), ("chain, cut off", n))
            says = f"{model}: an answer asked for at {n} tokens against a chain that is cut off there"
            claims.append(measure.claim(f"forced_minus_cut_{short}", says, gain))
        waits = minus(right, ("chain, extended", 1), ("chain, extended", 0))
        says = f'{model}: "wait" in place of the first answer against that answer'
        claims.append(measure.claim(f"wait_minus_answer_{short}", says, waits))
    return claims


SEARCHES = {"astar": "A*", "mcts": "MCTS", "mcts, Q-value": "MCTS with Q-values"}


def _tree_claims(measure: Measure, points: pl.DataFrame) -> list[Claim]:
    """baby-o1 with the largest budget of a tree, against as many tokens of chains."""
    measured = _of(points, "baby-o1")
    right = {key: values for key, (_, values) in measured.items()}
    budget = max((n for strategy, n in measured if strategy == "astar"), default=0)
    # Best of N has points at powers of two: the last that is no dearer than the tree.
    chains = [
        n for (strategy, n), (spent, _) in measured.items() if strategy == "best-of-n" and spent <= budget
    ]
    n = max(chains, default=0)
    claims = [
        measure.claim(
            f"{re.sub(r'[^a-z]+', '_', name.lower())}_minus_best_of_n",
            f"baby-o1: {title} against best of {n}, at most {budget} tokens a problem",
            minus(right, (name, budget), ("best-of-n", n)),
        )
        for name, title in SEARCHES.items()
    ]
    gain = minus(right, ("mcts, Q-value", budget), ("mcts", budget))
    says = f"baby-o1: MCTS by Q-values against MCTS by the PRM, {budget} tokens a problem"
    return [*claims, measure.claim("q_value_minus_prm_mcts", says, gain)]


def _pass_claims(measure: Measure, generator: Path, policy: Path) -> list[Claim]:
    tables = {
        name: read_parquet(folder / "exact.parquet").filter(pl.col("selector") == PASS)
        for name, folder in {"GPT*": generator, "baby-o1": policy}.items()
    }
    k = min(64, *(max(table["n"].to_list()) for table in tables.values()))
    values = {
        name: table.filter(pl.col("n") == k).sort("problem_id")["value"].to_numpy()
        for name, table in tables.items()
    }
    says = f"one of {k} solutions is right: baby-o1 after all rounds against GPT*"
    return [measure.claim(f"pass@{k}_baby_o1_minus_gpt", says, minus(values, "baby-o1", "GPT*"))]


# Self-correction.

DOUBTS = {
    "doubting": "solutions that doubt one of their steps",
    "rightly": "doubts about a step that is wrong",
    "noticed": "first errors that are doubted at once",
}


def _doubt_claims(rows: Sequence[Mapping[str, Any]]) -> list[Claim]:
    claims = []
    for row, who, short in ((rows[0], "GPT*", "gpt"), (rows[-1], f"baby-o1 v{rows[-1]['round']}", "baby_o1")):
        for name, says in DOUBTS.items():
            value, error = row[name], row[f"{name}_error"]
            low = high = None
            if value is not None and error is not None:
                low, high = max(0.0, value - 1.96 * error), min(1.0, value + 1.96 * error)
            claims.append(Claim(f"{name}_{short}", f"{who}: {says}", value, low, high, unit="share"))
    return claims


def _doubt_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    version = pl.when(pl.col("round") == GENERATOR).then(pl.lit("GPT*")).otherwise(pl.format("v{}", "round"))
    return frame.select(
        version.alias("version"), "solutions", "doubts", *DOUBTS, "wrong_to_right", "right_to_wrong"
    )


def _notes(surfaces: Mapping[str, Surface]) -> list[str]:
    problems = next(iter(surfaces.values())).right.shape[2]
    return [
        f"Exchange: {problems} held-out problems of the rounds. Training is the FLOPs of all that a version was made "
        "from; twice as many chains are twice the FLOPs of thinking, with the PRM's share of it. Between two versions "
        "the accuracy is interpolated against log2 of their training, after isotonic regression over the versions; the "
        "rate is the slope of the line of equal accuracy. Versions are of one training, so that the interval is over "
        "problems alone.",
        "The rate holds between these versions, whose trainings lie within a few doublings. It says nothing of how the "
        "two would trade in another model.",
        "Ways of prompting: chains with the same random numbers in each way but the self-checks. Examples are of train "
        'problems that the base solved. "Its own solution shown" is a control: the answer stands in the prompt. Read '
        "are the prompt's tokens, once.",
        "Ways of thinking, limits, waits and trees: the held-out problems of eval/thinking; doubts and pass@k: those "
        "of the rounds and of the headline.",
    ]
