"""ablations/versions/result: the finished run's own rounds, PRM v0.. and baby-o1 v0.., on fixed held-out sets.

It trains nothing: it reads the rounds' evaluations, and every PRM once more on GPT*'s samples.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pydantic import Field

from o1_assets.core import plots
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.core.plots import Axis, Series
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.checkpoint import load_tokenizer
from o1_assets.evaluation.config import SUBSETS_OF
from o1_assets.evaluation.statistics import Floats, Interval, bounds, f1, interval_of_sums, mean_parts, share
from o1_assets.evaluation.steps import NO_ERROR
from o1_assets.experiments.experiment import PART, ablation
from o1_assets.experiments.measure import fooled_on_pool_parts, step_parts
from o1_assets.experiments.pools.assets import TEST_POOL
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result
from o1_assets.experiments.rounds.measure import best_of, first_samples
from o1_assets.reward.estimate import distinct_tokens, read

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


QUESTION = "What did each round of the finished run bring, on sets that stay the same?"
FOOLED_TARGET, ERROR_TARGET = 0.2, 0.5


class VersionsConfig(StageConfig):
    """ablations/versions."""

    best_of: int = Field(64, gt=1, description="N of best-of-N on GPT*'s samples")
    subsets: int = Field(100, gt=0, description="random subsets for it")
    resamples: int = Field(2000, gt=0, description="bootstrap samples of problems")
    prompt: PromptFormat = PromptFormat()


def artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    inputs = {
        **{f"prm_{k}": f"r{k}/prm" for k in rounds},
        **{f"eval_{k}": f"r{k}/eval" for k in rounds},
        "summary": "eval/summary",
        "generator_eval": "eval/generator",
        "policy_eval": "eval/baby_o1",
        "generator": "generator/model",
        "pool": TEST_POOL,
        "test": "problems/test",
    }
    config, key = profile.ablations.versions, f"{PART}/versions/result"
    return [ablation(profile, key, make_versions, config, inputs, QUESTION, estimate=estimate_versions)]


def estimate_versions(context: EstimateContext, config: VersionsConfig) -> Estimate:
    """Every PRM of the run reads GPT*'s samples."""
    problems = min(context["pool"].problems, context["test"].problems)
    tokens = problems * distinct_tokens(context, config.prompt, SUBSETS_OF * config.best_of, rl_rounds=0)
    cost = read(context, tokens, *context.starting_with("prm_"))
    return Estimate(problems, cost=cost, stored=2 * CHART + 6 * TABLES)


def make_versions(task: Task, config: VersionsConfig) -> Outcome:
    """Inputs: prm_00, .., eval_00, .., summary, generator_eval, policy_eval, pool (GPT*'s samples of held-out
    problems), generator, test (problems)."""
    rounds = sorted(int(name.removeprefix("prm_")) for name in task.inputs if name.startswith("prm_"))
    evals = {k: task.inputs[f"eval_{k:02d}"] for k in rounds}
    seed = derive_seed(task.seed, "bootstrap")
    test = read_parquet(task.inputs["test"] / "problems.parquet").sort("problem_id")
    prompts = config.prompt.encode(load_tokenizer(task.inputs["generator"]), test["question"].to_list())
    chosen, cost = best_of(
        task,
        {str(k): task.inputs[f"prm_{k:02d}"] for k in rounds},
        # Twice N samples, because of N there is one subset only.
        first_samples(task.inputs["pool"], SUBSETS_OF * config.best_of, test["problem_id"].to_list()),
        dict(zip(test["problem_id"].to_list(), prompts, strict=True)),
        config.best_of,
        config.subsets,
        derive_seed(task.seed, "pool"),
    )
    pool = read_parquet(task.inputs["summary"] / "pool.parquet")
    fooled, first_error = _on_fixed_pool(pool, rounds)

    def ratio(parts: Floats) -> Interval | None:
        """parts: [problems, 2]. There is one training, so that problems alone are drawn anew."""
        return interval_of_sums(parts[None], share, config.resamples, seed)

    # One row a round; a version keeps its number as its round.
    rows = []
    for k in rounds:
        intervals = {
            "pass@1": ratio(mean_parts(_right(evals[k]))),
            f"best of {config.best_of}, GPT*'s samples": ratio(mean_parts(chosen[str(k)])),
            "step F1, fixed pool": interval_of_sums(first_error[k][None], f1, config.resamples, seed),
            "fooled, fixed pool": ratio(fooled[k]),
        }
        figures = json.loads((evals[k] / "figures.json").read_text())
        row: dict[str, Any] = {"round": k, "fooled, fresh samples": figures["fooled_fresh"]}
        for name, interval in intervals.items():
            row |= dict(zip((name, f"{name}, low", f"{name}, high"), bounds(interval), strict=True))
        rows.append(row)
    table = pl.DataFrame(rows, infer_schema_length=None)
    first, last = rounds[0], rounds[-1]
    # The same wrong answers are in both rates, so their ratio is that of the numbers that fool.
    fewer_fooled = ratio(np.concatenate([fooled[last][:, :1], fooled[first][:, :1]], axis=1))
    # On the same problems; of each the mean over all samples and sampling seeds.
    errors = [1 - _right(task.inputs[name]) for name in ("policy_eval", "generator_eval")]
    claims = [
        Claim(
            "fooled_rate_ratio",
            f"Wrong answers of a fixed pool that fool PRM v{last}, divided by those that fool v{first}.",
            *bounds(fewer_fooled),
            FOOLED_TARGET,
            "lower",
            "number",
        ),
        Claim(
            "pass@1_error_ratio",
            f"Sampled errors of baby-o1 v{last}, divided by those of GPT*.",
            *bounds(ratio(np.stack(errors, axis=1))),
            ERROR_TARGET,
            "lower",
            "number",
        ),
    ]
    write_result(task.out, _result(table, claims, pool, config))
    return Outcome({claim.name: claim.value for claim in claims}, cost, table.height, rows)


def _on_fixed_pool(pool: pl.DataFrame, rounds: list[int]) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Round -> parts of its PRM's fooled rate, [problems, 2], and of its step F1, [problems, 4].

    pool: eval/summary's, solutions of all rounds with every PRM's score and P(right).
    """
    ids = sorted(pool["problem_id"].unique())
    # Parts are summed by problem, so that problems can be drawn anew.
    index = {problem: i for i, problem in enumerate(ids)}
    problem = np.array([index[name] for name in pool["problem_id"]], dtype=np.int64)  # [solutions]
    correct = pool["correct"].to_numpy()
    truth = [ratings.index(-1) if -1 in ratings else NO_ERROR for ratings in pool["ratings"].to_list()]
    fooled, first_error = {}, {}
    for k in rounds:
        p_right = [np.array(p) for p in pool[f"p_right_{k}"].to_list()]
        fooled[k] = fooled_on_pool_parts(pool[f"score_{k}"].to_numpy(), correct, problem, len(ids))
        first_error[k] = step_parts(p_right, truth, problem, len(ids))
    return fooled, first_error


def _right(folder: Path) -> Floats:
    """[problems], by problem id: share of the samples that are right."""
    table = read_parquet(folder / "solutions.parquet", columns=["problem_id", "correct"])
    # All samples and sampling seeds of a problem count alike.
    by_problem = table.group_by("problem_id").agg(pl.col("correct").mean()).sort("problem_id")
    return by_problem["correct"].to_numpy()


def _result(table: pl.DataFrame, claims: list[Claim], pool: pl.DataFrame, config: VersionsConfig) -> Result:
    best = f"best of {config.best_of}, GPT*'s samples"
    learning = [("pass@1", "baby-o1, pass@1", plots.BLUE), (best, "PRM, best of N", plots.GREEN)]
    judging = [("step F1, fixed pool", "step F1", plots.PURPLE), ("fooled, fixed pool", "fooled", plots.RED)]
    wrong = pool.filter(~pl.col("correct")).height
    return Result(
        name="versions",
        title="The run's own rounds",
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
            f"The fixed pool is eval/summary's: {pool.height} solutions of all rounds' policies, {wrong} of them "
            "wrong. Intervals are over problems: the run is one training.",
            "The median score that a wrong answer has to pass is that of the whole pool in all bootstrap samples.",
            "pass@1 by round is from the small evaluations; the claim is from the large ones of GPT* and of the "
            "last policy.",
        ],
    )


def _series(table: pl.DataFrame, lines: list[tuple[str, str, str]]) -> list[Series]:
    """lines: column, label, colour. A band is half of the interval's width, centred on the value."""
    series = []
    for column, label, color in lines:
        half = ((table[f"{column}, high"] - table[f"{column}, low"]) / 2).fill_null(0.0).to_list()
        series.append(Series(label, table["round"].to_list(), table[column].to_list(), color, half))
    return series
