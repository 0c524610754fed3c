"""rNN/eval, eval/generator, eval/baby_o1: how well a policy solves held-out problems, and how well reward models judge.

Writes solutions.parquet (all samples with their scores), greedy.parquet, steps.parquet (rated steps of some),
curves.parquet (selector, seed, n, mean, std, per_problem), figures.json and plots/best_of_n.png.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation import charts
from o1_assets.evaluation.best_of_n import (
    MAJORITY,
    PASS,
    WEIGHTED,
    Curve,
    Pool,
    curves,
    fooled_under_best_of_n,
    powers_of_two,
)
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.evaluation.scored import SCORES, add_scores, held_out, prompts_of, sample
from o1_assets.evaluation.statistics import paired
from o1_assets.evaluation.steps import correction_figures, rated_steps, step_figures

PRM = "prm_product"


SELECTORS = (*SCORES, MAJORITY, WEIGHTED + PRM, PASS)


AT_N = {
    PRM: "prm_best_of_n",
    "prm_minimum": "prm_minimum_best_of_n",
    "orm": "orm_best_of_n",
    "min_logprob": "min_logprob_best_of_n",
    MAJORITY: "majority_at_n",
    WEIGHTED + PRM: "prm_vote_at_n",
    PASS: "pass_at_n",
}
"""Selector -> name of its accuracy at the largest N (which is the figure "n")."""


def make_round_eval(task: Task, config: RoundEvalConfig) -> Outcome:
    """Inputs: policy, generator (checkpoints), prm, orm, test (problems)."""
    solutions, greedy, problems, cost = _solve(task, config)
    first = solutions.filter((pl.col("seed") == 0) & (pl.col("sample") < config.step_samples))
    steps = rated_steps(first, problems)
    pools = [Pool.from_frame(part, SCORES) for part in solutions.partition_by("seed", maintain_order=True)]
    by_seed = [
        curves(
            pool,
            SELECTORS,
            powers_of_two(config.samples),
            config.subsets,
            derive_seed(task.seed, "subsets", s),
        )
        for s, pool in enumerate(pools)
    ]
    table = curve_table(by_seed)
    figures: Figures = {
        "problems": problems.height,
        "samples": config.samples,
        "seeds": config.seeds,
        **accuracy_figures(by_seed, pools),
        "greedy": float(greedy.select(pl.col("correct").mean()).item()),
        "fooled_fresh": _fooled(pools, config, task.seed),
        **step_figures(steps),
        **correction_figures(steps, config.correction_word),
    }
    solutions.write_parquet(task.out / "solutions.parquet")
    greedy.write_parquet(task.out / "greedy.parquet")
    steps.write_parquet(task.out / "steps.parquet")
    table.write_parquet(task.out / "curves.parquet")
    (task.out / "figures.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    title = f"{problems.height} held-out problems"
    plots.save_png(task.out / "plots" / "best_of_n.png", *charts.best_of_n(mean_curves(table), title))
    shown = first.head(5).select("text", "answer", "correct", PRM, "orm")
    return Outcome(figures, cost, solutions.height, shown.to_dicts())


def _solve(task: Task, config: RoundEvalConfig) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, Cost]:
    """Scored samples of all seeds (column seed), greedy solutions, the problems, and what it cost."""
    from o1_assets.reward.score import load_scorer, open_generator

    problems = held_out(pl.read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    engine = task.open_engine(task.inputs["policy"])
    greedy, cost = sample(engine, problems, config, derive_seed(task.seed, "greedy"), greedy=True)
    drawn = []
    for s in range(config.seeds):
        task.progress(
            f"solving {problems.height} problems {config.samples} times, seed {s + 1} of {config.seeds}"
        )
        one, spent = sample(engine, problems, config, derive_seed(task.seed, "samples", s))
        drawn.append(one.with_columns(seed=pl.lit(s, pl.Int32)))
        cost += spent
    prompts = prompts_of(engine, problems, config.prompt)
    engine.close()
    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"], task.inputs["orm"])
    generator = scorer.generator or open_generator(task.inputs["generator"])
    # By problem, so that the samples of all seeds share their prefixes when they are scored.
    solutions = pl.concat(drawn).sort("problem_id", "seed", "sample")
    scored, spent = add_scores(solutions, prompts, scorer, generator, task.progress)
    return scored, greedy, problems, cost + spent


def accuracy_figures(by_seed: list[dict[str, Curve]], pools: list[Pool]) -> Figures:
    """Accuracies with their spread over seeds (None with one seed), and the PRM's paired advantage at N."""
    found: Figures = {"n": by_seed[0][PRM].ns[-1]}
    ones = [float(pool.correct.mean()) for pool in pools]
    found |= {"pass@1": float(np.mean(ones)), "pass@1_spread": _spread(ones)}
    for selector, name in AT_N.items():
        values = [float(one[selector].mean[-1]) for one in by_seed]
        found |= {name: float(np.mean(values)), f"{name}_spread": _spread(values)}
    prm = np.stack([one[PRM].per_problem[-1] for one in by_seed])
    for rival, short in ((MAJORITY, "majority"), ("orm", "orm"), ("min_logprob", "min_logprob")):
        compared = paired(prm, np.stack([one[rival].per_problem[-1] for one in by_seed]))
        found |= {f"prm_over_{short}": compared.difference, f"prm_over_{short}_se": compared.standard_error}
    return found


def curve_table(by_seed: list[dict[str, Curve]]) -> pl.DataFrame:
    """One row a selector, seed and n."""
    rows = [
        (name, seed, n, curve.mean[k], curve.std[k], curve.per_problem[k].tolist())
        for seed, one in enumerate(by_seed)
        for name, curve in one.items()
        for k, n in enumerate(curve.ns)
    ]
    schema: dict[str, Any] = {
        "selector": pl.String, "seed": pl.Int32, "n": pl.Int32,
        "mean": pl.Float64, "std": pl.Float64, "per_problem": pl.List(pl.Float64),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def mean_curves(table: pl.DataFrame) -> list[dict[str, object]]:
    """Rows selector, n, mean, std over seeds and subsets: variance within seeds plus between them."""
    between = pl.col("mean").var(ddof=0).fill_null(0.0)
    return (
        table.group_by("selector", "n", maintain_order=True)
        .agg(pl.col("mean").mean(), std=((pl.col("std") ** 2).mean() + between).sqrt())
        .to_dicts()
    )


def _fooled(pools: list[Pool], config: RoundEvalConfig, seed: int) -> float | None:
    n = min(config.fooled_n, config.samples)
    rates = [
        fooled_under_best_of_n(pool, PRM, n, config.subsets, derive_seed(seed, "fooled", s))
        for s, pool in enumerate(pools)
    ]
    known = [rate for rate in rates if rate is not None]
    return float(np.mean(known)) if known else None


def _spread(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
