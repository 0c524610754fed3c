"""The scores that all models of one training seed give to the pools: one pass of the generator for all of them.

Writes <pool>.parquet (whole pools, main models) and <pool>_part.parquet (the first problems and samples, all models):
problem_id, sample, and a column a selector, "<arm>" for a model's own score (a PRM's product with neutral steps as
right) and "<arm>:<aggregation>:<neutral>" for a PRM's other ways of adding up its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.ablations.kept import kept
from o1_assets.ablations.many import read_all
from o1_assets.ablations.pools.distinct import distinct
from o1_assets.ablations.verifiers.config import ScoresConfig
from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.evaluation.scored import held_out
from o1_assets.reward.aggregate import Aggregation, Neutral, solution_score

if TYPE_CHECKING:
    from o1_assets.reward.score import Scorer

POOLS = ("test", "ood")
AT_ONCE = 25
"""Problems that are scored together, for memory."""
OTHER_WAYS: tuple[tuple[Aggregation, Neutral], ...] = (
    ("product", "wrong"),
    ("minimum", "right"),
    ("minimum", "wrong"),
)


def way(arm: str, aggregation: Aggregation, neutral: Neutral) -> str:
    """Name of a PRM's column."""
    return arm if (aggregation, neutral) == ("product", "right") else f"{arm}:{aggregation}:{neutral}"


def score_pools(task: Task, config: ScoresConfig) -> Outcome:
    """Inputs: generator, test, ood (pools), and each arm's reward model by its name."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import load_reward_model
    from o1_assets.reward.score import Scorer, open_generator

    generator = open_generator(task.inputs["generator"])
    device = generator.device
    models = {
        arm: load_reward_model(task.inputs[arm], "float32" if device.type == "cpu" else "auto").to(device)
        for arm in config.arms
    }
    tokenizer = load_tokenizer(task.inputs["generator"])
    cost, rows = Cost(), 0
    for pool in POOLS:
        solutions = pl.read_parquet(task.inputs[pool] / "solutions.parquet")
        problems = pl.read_parquet(task.inputs[pool] / "problems.parquet")
        part = part_of(solutions, held_out(problems, config.problems)["problem_id"].to_list(), config.samples)
        rest = [arm for arm in config.arms if arm not in config.main]
        for name, table, arms in ((pool, solutions, list(config.main)), (f"{pool}_part", part, rest)):
            scorer = Scorer([models[arm] for arm in arms], generator, tokenizer)
            prompts = _prompts(tokenizer, problems, config.prompt_template)
            frame, spent = kept(task, name, partial(_scored, task, name, table, prompts, scorer, arms))
            frame.write_parquet(task.out / f"{name}.parquet")
            cost += spent
            rows += frame.height
    return Outcome(figures={"models": len(models), "solutions": rows}, cost=cost, rows=rows)


def part_of(solutions: pl.DataFrame, problem_ids: Sequence[str], samples: int) -> pl.DataFrame:
    """The first samples of these problems."""
    return solutions.filter((pl.col("sample") < samples) & pl.col("problem_id").is_in(list(problem_ids)))


def _prompts(tokenizer: Any, problems: pl.DataFrame, template: str) -> dict[str, list[int]]:
    return {
        problem: list(tokenizer(template.replace("{question}", question))["input_ids"])
        for problem, question in problems.select("problem_id", "question").iter_rows()
    }


def _scored(
    task: Task,
    name: str,
    solutions: pl.DataFrame,
    prompts: dict[str, list[int]],
    scorer: Scorer,
    arms: Sequence[str],
) -> tuple[pl.DataFrame, Cost]:
    ids = solutions["problem_id"].unique(maintain_order=True).to_list()
    parts, cost = [], Cost()
    for start in range(0, len(ids), AT_ONCE):
        part = solutions.filter(pl.col("problem_id").is_in(ids[start : start + AT_ONCE]))
        once, index = distinct(part)
        found, spent = read_all(
            scorer, [prompts[problem] for problem in once["problem_id"]], once["token_ids"].to_list()
        )
        cost += spent
        columns = _columns(found, arms)
        parts.append(
            part.select("problem_id", "sample").with_columns(
                pl.Series(column, values[index], dtype=pl.Float64) for column, values in columns.items()
            )
        )
        task.progress(f"{name}: scored {min(start + AT_ONCE, len(ids))} of {len(ids)} problems")
    return pl.concat(parts), cost


def _columns(
    found: Sequence[Sequence[NDArray[np.float64]]], arms: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Selector -> score of each solution; an ORM's is P(right) at the last step, 0 without any."""
    columns = {}
    for arm, own in zip(arms, found, strict=True):
        if own and own[0].shape[1] == 2:
            columns[arm] = np.array([float(steps[-1, 1]) if len(steps) else 0.0 for steps in own])
            continue
        columns[arm] = np.array([solution_score(steps) for steps in own])
        for aggregation, neutral in OTHER_WAYS:
            columns[way(arm, aggregation, neutral)] = np.array(
                [solution_score(steps, aggregation, neutral) for steps in own]
            )
    return columns
