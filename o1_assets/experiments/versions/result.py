"""ablations/versions/result: the finished run's own rounds, PRM v0.. and baby-o1 v0.., on fixed held-out sets.

Trains nothing. Writes what `ablations.result` says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.plots import Axis, Series
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.checkpoint import load_tokenizer
from o1_assets.evaluation.config import SUBSETS_OF
from o1_assets.evaluation.statistics import Floats, Interval, bounds, f1, interval_of_sums, mean_parts, share
from o1_assets.evaluation.steps import NO_ERROR
from o1_assets.experiments.measure import fooled_on_pool_parts, step_parts
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result
from o1_assets.experiments.rounds.measure import best_of, first_samples
from o1_assets.experiments.versions.config import VersionsConfig

TITLE = "The run's own rounds"


QUESTION = "What did each round of the finished run bring, on sets that stay the same?"


FOOLED_TARGET, ERROR_TARGET = 0.2, 0.5


def make_versions(task: Task, config: VersionsConfig) -> Outcome:
    """Inputs: prm_00, .., eval_00, .., summary, generator_eval, policy_eval, pool (GPT*'s samples of held-out
    problems), generator, test (problems)."""
    rounds = sorted(int(name.removeprefix("prm_")) for name in task.inputs if name.startswith("prm_"))
    seed = derive_seed(task.seed, "bootstrap")
    on_pool, enough = _on_fixed_pool(task.inputs["summary"], rounds)
    test = pl.read_parquet(task.inputs["test"] / "problems.parquet").sort("problem_id")
    samples = first_samples(task.inputs["pool"], SUBSETS_OF * config.best_of, test["problem_id"].to_list())
    prms = {str(k): task.inputs[f"prm_{k:02d}"] for k in rounds}
    chosen, cost = best_of(
        task,
        prms,
        samples,
        _prompts(task.inputs["generator"], test, config.prompt),
        config.best_of,
        config.subsets,
        derive_seed(task.seed, "pool"),
    )
    rows = []
    for k in rounds:
        evaluation = _figures(task.inputs[f"eval_{k:02d}"])
        measured = {
            "pass@1": _of(mean_parts(_right(task.inputs[f"eval_{k:02d}"])), config, seed),
            f"best of {config.best_of}, GPT*'s samples": _of(mean_parts(chosen[str(k)]), config, seed),
            "step F1, fixed pool": interval_of_sums(on_pool[k][1][None], f1, config.resamples, seed),
            "fooled, fixed pool": _of(on_pool[k][0], config, seed),
        }
        row: dict[str, Any] = {"round": k, "fooled, fresh samples": evaluation["fooled_fresh"]}
        for name, found in measured.items():
            row |= dict(zip((name, f"{name}, low", f"{name}, high"), bounds(found), strict=True))
        rows.append(row)
    table = pl.DataFrame(rows, infer_schema_length=None)
    first, last = rounds[0], rounds[-1]
    claims = [
        _fooled_claim(on_pool[first][0], on_pool[last][0], first, last, config, seed),
        _error_claim(task.inputs["generator_eval"], task.inputs["policy_eval"], last, config, seed),
    ]
    write_result(task.out, _result(table, claims, enough, config))
    return Outcome({claim.name: claim.value for claim in claims}, cost, table.height, rows)


Pair = tuple[Floats, Floats]


def _on_fixed_pool(summary: Path, rounds: list[int]) -> tuple[dict[int, Pair], str]:
    """Round -> parts of the fooled rate and of step F1 of its PRM on eval/summary's pool; and what the pool is."""
    pool = pl.read_parquet(summary / "pool.parquet")
    ids = sorted(pool["problem_id"].unique())
    order = {problem: i for i, problem in enumerate(ids)}
    problem = np.array([order[one] for one in pool["problem_id"]], dtype=np.int64)
    correct = pool["correct"].to_numpy()
    truth = [one.index(-1) if -1 in one else NO_ERROR for one in pool["ratings"].to_list()]
    found = {}
    for k in rounds:
        p_right = [np.array(p) for p in pool[f"p_right_{k}"].to_list()]
        found[k] = (
            fooled_on_pool_parts(pool[f"score_{k}"].to_numpy(), correct, problem, len(ids)),
            step_parts(p_right, truth, problem, len(ids)),
        )
    return found, f"{pool.height} solutions of all rounds' policies, {int((~correct).sum())} of them wrong"


def _fooled_claim(
    before: Floats, after: Floats, first: int, last: int, config: VersionsConfig, seed: int
) -> Claim:
    """The same wrong answers are in both rates, so their ratio is that of the numbers that fool."""
    parts = np.concatenate([after[:, :1], before[:, :1]], axis=1)
    found = _of(parts, config, seed)
    return Claim(
        "fooled_rate_ratio",
        f"Wrong answers of a fixed pool that fool PRM v{last}, divided by those that fool v{first}.",
        *bounds(found),
        FOOLED_TARGET,
        "lower",
        "number",
    )


def _error_claim(generator: Path, policy: Path, last: int, config: VersionsConfig, seed: int) -> Claim:
    """On the same problems; of each the mean over all samples and sampling seeds."""
    parts = np.stack([1 - _right(policy), 1 - _right(generator)], axis=1)
    found = _of(parts, config, seed)
    return Claim(
        "pass@1_error_ratio",
        f"Sampled errors of baby-o1 v{last}, divided by those of GPT*.",
        *bounds(found),
        ERROR_TARGET,
        "lower",
        "number",
    )


def _of(parts: Floats, config: VersionsConfig, seed: int) -> Interval | None:
    return interval_of_sums(parts[None], share, config.resamples, seed)


def _right(folder: Path) -> Floats:
    """[problems], by problem id: share of the samples that are right."""
    table = pl.read_parquet(folder / "solutions.parquet", columns=["problem_id", "correct"])
    by_problem = table.group_by("problem_id").agg(pl.col("correct").mean()).sort("problem_id")
    return by_problem["correct"].to_numpy()


def _figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "figures.json").read_text())
    return found


def _prompts(checkpoint: Path, problems: pl.DataFrame, prompt: PromptFormat) -> dict[str, list[int]]:
    tokenizer = load_tokenizer(checkpoint)
    encoded = prompt.encode(tokenizer, problems["question"].to_list())
    return dict(zip(problems["problem_id"].to_list(), encoded, strict=True))


def _result(table: pl.DataFrame, claims: list[Claim], pool: str, config: VersionsConfig) -> Result:
    best = f"best of {config.best_of}, GPT*'s samples"
    learning = [("pass@1", "baby-o1, pass@1", plots.BLUE), (best, "PRM, best of N", plots.GREEN)]
    judging = [("step F1, fixed pool", "step F1", plots.PURPLE), ("fooled, fixed pool", "fooled", plots.RED)]
    return Result(
        name="versions",
        title=TITLE,
        question=QUESTION,
        claims=claims,
        tables={
            "rounds": Table("Every version on the same problems and solutions, with 95% intervals.", table)
        },
        charts={
            name: Chart(_series(table, lines), Axis(title, "round", "share"))
            for name, lines, title in (
                ("learning", learning, "Policies, and PRMs on GPT*'s samples"),
                ("judging", judging, "PRMs on one fixed pool"),
            )
        },
        notes=[
            f"The fixed pool is eval/summary's: {pool}. Intervals are over problems: the run is one training.",
            "The median score that a wrong answer has to pass is that of the whole pool in all bootstrap samples.",
            "pass@1 by round is from the small evaluations; the claim is from the large ones of GPT* and of the "
            "last policy.",
        ],
    )


def _series(table: pl.DataFrame, lines: list[tuple[str, str, str]]) -> list[Series]:
    series = []
    for column, label, color in lines:
        half = ((table[f"{column}, high"] - table[f"{column}, low"]) / 2).fill_null(0.0).to_list()
        series.append(Series(label, table["round"].to_list(), table[column].to_list(), color, half))
    return series
