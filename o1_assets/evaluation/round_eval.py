"""rNN/eval, eval/generator, eval/baby_o1: how well a policy and its reward models do on held-out problems.

Writes solutions.parquet (all samples with their scores), greedy.parquet, steps.parquet (rated steps of some),
curves.parquet (selector, seed, n, mean, std, per_problem), exact.parquet (selector, n, problem_id, value: over all
subsets of the samples of all seeds), figures.json and plots/best_of_n.png.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Figures, Outcome, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation import charts
from o1_assets.evaluation.best_of_n import (
    MAJORITY,
    PASS,
    WEIGHTED,
    Curve,
    Floats,
    Pool,
    exact_curves,
    fooled_under_best_of_n,
    largest_fall,
    powers_of_two,
)
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.evaluation.evaluate_policy import PRM, SCORES, Draw, EvalModels, evaluate_policy, held_out
from o1_assets.evaluation.headline import PASS_KS
from o1_assets.evaluation.statistics import paired
from o1_assets.evaluation.steps import correction_figures, ranking_figures, rated_steps, step_figures

SELECTORS = (*SCORES, MAJORITY, WEIGHTED + PRM, PASS)

# Selector -> name of its accuracy at the largest N (which is the figure "n").
AT_N = {
    PRM: "prm_best_of_n",
    "prm_minimum": "prm_minimum_best_of_n",
    "orm": "orm_best_of_n",
    "min_logprob": "min_logprob_best_of_n",
    MAJORITY: "majority_at_n",
    WEIGHTED + PRM: "prm_vote_at_n",
    PASS: "pass_at_n",
}


def make_round_eval(task: Task, config: RoundEvalConfig) -> Outcome:
    """Inputs: policy, generator (checkpoints), prm, orm, test (problems)."""
    problems = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    evaluation = evaluate_policy(
        task.open_engine(task.inputs["policy"]),
        EvalModels.of(task.inputs),
        problems,
        config,
        [Draw.of(task.seed, number) for number in range(config.seeds)],
        greedy=derive_seed(task.seed, "greedy"),
        selectors=SELECTORS,
        ns=powers_of_two(config.samples),
        progress=task.progress,
    )
    solutions, greedy = evaluation.solutions, evaluation.greedy
    assert greedy is not None, "a greedy solution was asked for"
    pools, by_seed = list(evaluation.pools.values()), list(evaluation.curves.values())
    # The first draw only: step_samples counts solutions of one draw, however many seeds there are.
    first = solutions.filter((pl.col("seed") == 0) & (pl.col("sample") < config.step_samples))
    steps = rated_steps(first, problems)
    table = curve_table(by_seed)
    together = Pool.from_frame(solutions, [PRM])
    exact = exact_curves(together, PRM)
    fall = largest_fall(exact[PRM])
    figures: Figures = {
        "problems": problems.height,
        "samples": config.samples,
        "seeds": config.seeds,
        **accuracy_figures(by_seed, pools),
        **{
            name: value
            for k in PASS_KS[1:]
            if k in exact[PASS]
            for name, value in with_error(f"pass@{k}", exact[PASS][k]).items()
        },
        "pooled_n": max(exact[PRM]),
        **with_error("prm_best_of_pooled_n", exact[PRM][max(exact[PRM])]),
        "prm_best_of_n_fall": fall.difference,
        "prm_best_of_n_fall_se": fall.standard_error,
        **with_error("greedy", greedy["correct"].cast(pl.Float64).to_numpy()),
        "fooled_fresh": _fooled(pools, config, task.seed),
        **step_figures(steps),
        **ranking_figures(steps),
        **correction_figures(steps, config.correction_word),
    }
    solutions.drop("least_likely").write_parquet(task.out / "solutions.parquet")
    greedy.write_parquet(task.out / "greedy.parquet")
    steps.write_parquet(task.out / "steps.parquet")
    table.write_parquet(task.out / "curves.parquet")
    exact_table(exact, together.problem_ids).write_parquet(task.out / "exact.parquet")
    (task.out / "figures.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    title = f"{problems.height} held-out problems"
    plots.save_png(task.out / "plots" / "best_of_n.png", *charts.best_of_n(mean_curves(table), title))
    shown = first.head(5).select("text", "answer", "correct", PRM, "orm")
    return Outcome(figures, evaluation.cost, solutions.height, shown.to_dicts())


def accuracy_figures(by_seed: Sequence[Mapping[str, Curve]], pools: Sequence[Pool]) -> Figures:
    """Accuracies with their standard errors over problems, and the PRM's paired advantage at N."""
    figures: Figures = {"n": by_seed[0][PRM].ns[-1]}
    figures |= with_error("pass@1", np.stack([pool.correct.mean(1) for pool in pools]).mean(0))
    for selector, name in AT_N.items():
        # The last N is the largest: with few samples, as in tests, the names stay the same.
        figures |= with_error(
            name, np.stack([curves[selector].per_problem[-1] for curves in by_seed]).mean(0)
        )
    prm = np.stack([curves[PRM].per_problem[-1] for curves in by_seed])  # [seeds, problems]
    for rival, short in ((MAJORITY, "majority"), ("orm", "orm"), ("min_logprob", "min_logprob")):
        lead = paired(prm, np.stack([curves[rival].per_problem[-1] for curves in by_seed]))
        figures |= {f"prm_over_{short}": lead.difference, f"prm_over_{short}_se": lead.standard_error}
    return figures


def curve_table(by_seed: Sequence[Mapping[str, Curve]]) -> pl.DataFrame:
    """One row a selector, seed and n."""
    rows = [
        (name, seed, n, curve.mean[k], curve.std[k], curve.per_problem[k].tolist())
        for seed, curves in enumerate(by_seed)
        for name, curve in curves.items()
        for k, n in enumerate(curve.ns)
    ]
    schema: dict[str, Any] = {
        "selector": pl.String, "seed": pl.Int32, "n": pl.Int32,
        "mean": pl.Float64, "std": pl.Float64, "per_problem": pl.List(pl.Float64),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def exact_table(exact: Mapping[str, Mapping[int, Floats]], problem_ids: Sequence[str]) -> pl.DataFrame:
    """One row a selector, n and problem."""
    rows = [
        (name, n, problem, value)
        for name, curve in exact.items()
        for n, values in curve.items()
        for problem, value in zip(problem_ids, values.tolist(), strict=True)
    ]
    schema = {"selector": pl.String, "n": pl.Int32, "problem_id": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def mean_curves(table: pl.DataFrame) -> list[dict[str, object]]:
    """Rows selector, n, mean, std over seeds and subsets: variance within seeds plus between them."""
    # The law of total variance: the mean of the variances within seeds, and the variance of their means.
    between = pl.col("mean").var(ddof=0).fill_null(0.0)
    return (
        table.group_by("selector", "n", maintain_order=True)
        .agg(pl.col("mean").mean(), std=((pl.col("std") ** 2).mean() + between).sqrt())
        .to_dicts()
    )


def _fooled(pools: Sequence[Pool], config: RoundEvalConfig, seed: int) -> float | None:
    n = min(config.fooled_n, config.samples)
    rates = [
        fooled_under_best_of_n(pool, PRM, n, config.subsets, derive_seed(seed, "fooled", s))
        for s, pool in enumerate(pools)
    ]
    # A policy that solves everything has no mixed subset left, and so no rate.
    known = [rate for rate in rates if rate is not None]
    return float(np.mean(known)) if known else None


def with_error(name: str, per_problem: Floats) -> Figures:
    """The mean of a value a problem, [problems], and its standard error over problems, None with a single one."""
    n = len(per_problem)
    error = float(np.std(per_problem, ddof=1) / np.sqrt(n)) if n > 1 else None
    return {name: float(np.mean(per_problem)), f"{name}_error": error}
