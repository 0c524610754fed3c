"""The result of an experiment: every trained policy on the same held-out problems.

Writes runs.parquet (arm, seed, measure, value, per_problem), arms.parquet (arm, measure, mean and interval, the
difference to the control with its interval, cost), result.json (what the report shows) and plots.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.ablations.charts import arms_chart
from o1_assets.ablations.config import JudgeConfig
from o1_assets.ablations.intervals import Floats, interval, simplest_unbeaten
from o1_assets.ablations.shown import MEASURE as DECIDES
from o1_assets.ablations.spent import read_cost
from o1_assets.artifact import Cost, Figures, Outcome, StageConfig, Task
from o1_assets.evaluation.best_of_n import MAJORITY, curves
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.evaluation.plots import save_png
from o1_assets.evaluation.pool import Pool
from o1_assets.evaluation.scored import SCORES, add_scores, held_out, prompts_of, sample
from o1_assets.seeds import derive_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from o1_assets.reward.score import Scorer

PRM = "prm_product"

COSTS = ("updates", "tokens_generated", "tokens_scored", "tokens_trained", "flops")


class ArmWords(StageConfig):
    name: str
    says: str


class ResultConfig(StageConfig):
    """arms: from the simplest on; the first is the control. today: the one that is the profile's way."""

    name: str
    title: str
    question: str
    arms: tuple[ArmWords, ...]
    today: str
    seeds: int
    judge: JudgeConfig


def make_result(task: Task, config: ResultConfig) -> Outcome:
    """Inputs: <arm>_<seed> (trained policies with their cost), generator, prm, orm, test (problems)."""
    from o1_assets.engine.checkpoint import load_causal_lm
    from o1_assets.reward.score import load_scorer

    problems = held_out(pl.read_parquet(task.inputs["test"] / "problems.parquet"), config.judge.problems)
    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"], task.inputs["orm"])
    generator = (scorer.generator or load_causal_lm(task.inputs["generator"])).train(False)
    runs: list[dict[str, Any]] = []
    cost = Cost()
    for arm in config.arms:
        for seed in range(config.seeds):
            task.progress(f"{arm.name}, training {seed + 1} of {config.seeds}")
            name = f"{arm.name}_{seed}"
            measured, spent = _judge(task, name, seed, problems, config.judge, scorer, generator)
            cost += spent
            paid = read_cost(task.inputs[name])
            runs += [
                {"arm": arm.name, "seed": seed, "measure": measure, "value": float(values.mean()), **paid}
                | {"per_problem": values.tolist()}
                for measure, values in measured.items()
            ]
    table = pl.DataFrame(runs)
    arms, verdict = compare(table, config, derive_seed(task.seed, "bootstrap"))
    table.write_parquet(task.out / "runs.parquet")
    arms.write_parquet(task.out / "arms.parquet")
    result = {**config.model_dump(mode="json"), "simplest_unbeaten": verdict, "problems": problems.height}
    (task.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    for measure in arms["measure"].unique(maintain_order=True):
        own = arms.filter(pl.col("measure") == measure).to_dicts()
        save_png(task.out / "plots" / f"{measure}.png", *arms_chart(own, config.title))
    return Outcome(
        _figures(arms, verdict, config),
        cost,
        arms.height,
        arms.filter(pl.col("measure") == DECIDES).to_dicts(),
    )


def _judge(
    task: Task,
    name: str,
    seed: int,
    problems: pl.DataFrame,
    config: JudgeConfig,
    scorer: Scorer,
    generator: PreTrainedModel,
) -> tuple[dict[str, Floats], Cost]:
    """Measure -> accuracy of each problem. Arms of one seed are sampled with the same seeds."""
    sampling = RoundEvalConfig(
        problems=config.problems,
        samples=config.samples,
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        prompt_template=config.prompt_template,
        answer_prefix=config.answer_prefix,
    )
    engine = task.open_engine(task.inputs[name])
    greedy, cost = sample(engine, problems, sampling, derive_seed(task.seed, "greedy"), greedy=True)
    solutions, spent = sample(engine, problems, sampling, derive_seed(task.seed, "samples", seed))
    prompts = prompts_of(engine, problems, config.prompt_template)
    engine.close()
    scored, judging = add_scores(solutions, prompts, scorer, generator)
    pool = Pool.from_frame(scored, SCORES)
    n = config.samples
    chosen = curves(pool, (PRM, MAJORITY), (n,), config.subsets, derive_seed(task.seed, "subsets", seed))
    return {
        DECIDES: pool.correct.mean(1),
        "greedy": greedy.sort("problem_id")["correct"].cast(pl.Float64).to_numpy(),
        f"best_of_{n}": chosen[PRM].per_problem[0],
        f"majority@{n}": chosen[MAJORITY].per_problem[0],
    }, cost + spent + judging


def compare(runs: pl.DataFrame, config: ResultConfig, seed: int) -> tuple[pl.DataFrame, str]:
    """A row an arm and measure, and the simplest arm that no other beats at DECIDES."""
    names, resamples = [arm.name for arm in config.arms], config.judge.resamples
    rows: list[dict[str, Any]] = []
    verdict = ""
    for measure in runs["measure"].unique(maintain_order=True):
        own = runs.filter(pl.col("measure") == measure).sort("seed")
        values = {
            arm: np.array(own.filter(pl.col("arm") == arm)["per_problem"].to_list(), dtype=np.float64)
            for arm in names
        }
        if measure == DECIDES:
            verdict = simplest_unbeaten(values, resamples, seed)
        for arm in names:
            found = interval(values[arm], resamples, seed)
            against = interval(values[arm] - values[names[0]], resamples, seed)
            paid = own.filter(pl.col("arm") == arm).select(pl.col(COSTS).mean()).row(0, named=True)
            rows.append(
                {
                    "arm": arm,
                    "measure": measure,
                    "mean": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "difference": against.mean,
                    "difference_low": against.low,
                    "difference_high": against.high,
                    "difference_error": against.error,
                    **paid,
                }
            )
    return pl.DataFrame(rows), verdict


def _figures(arms: pl.DataFrame, verdict: str, config: ResultConfig) -> Figures:
    rows: Sequence[dict[str, Any]] = arms.filter(pl.col("measure") == DECIDES).to_dicts()
    return {
        "simplest_unbeaten": verdict,
        "today": config.today,
        **{f"{DECIDES} {row['arm']}": row["mean"] for row in rows},
        **{f"tokens_generated {row['arm']}": row["tokens_generated"] for row in rows},
    }
