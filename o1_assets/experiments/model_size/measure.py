"""One model of the comparison on held-out problems: how well it solves them, and how well its reward models choose.

Writes measures.parquet (measure, value, per_problem).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import MAJORITY, PASS
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.evaluation.evaluate_policy import (
    GREEDY,
    PASS_AT_1,
    PRM,
    Draw,
    EvalModels,
    Evaluation,
    evaluate_policy,
    evaluate_solutions,
    held_out,
    prompts_of,
    sample,
)
from o1_assets.evaluation.statistics import Floats
from o1_assets.evaluation.steps import rated_steps, step_figures
from o1_assets.experiments.measure import MEASURES

# Name in a measure -> selector. prm_plain: the PRM without the probability feature.
SELECTORS = {
    "prm": PRM,
    "prm_plain": "prm_plain",
    "orm": "orm",
    "min_logprob": "min_logprob",
    "majority": MAJORITY,
    "any": PASS,
}

# Before the name of a measure on solutions by the profile's own GPT*, which are the same for every model.
SHARED = "shared_"


class ModelEvalConfig(SamplingConfig):
    """samples: of GPT*. base_samples: solutions a problem by the base. step_samples: of each problem, those whose steps
    are rated."""

    base_samples: int
    step_samples: int


def make_model_eval(task: Task, config: ModelEvalConfig) -> Outcome:
    """Inputs: base, generator, prm, prm_plain, orm, test (problems), shared (eval/generator: solutions)."""
    problems = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    base = task.open_engine(task.inputs["base"])
    few = config.model_copy(update={"samples": config.base_samples})
    by_base, cost = sample(base, problems, few, derive_seed(task.seed, "base"))
    base.close()
    models = EvalModels(
        task.inputs["prm"],
        task.inputs["generator"],
        task.inputs["orm"],
        other_prms={"plain": task.inputs["prm_plain"]},
    )
    # Not Draw.of: these seeds were used before a draw had a number, and the published figures with them.
    draw = Draw(0, derive_seed(task.seed, "samples"), derive_seed(task.seed, "subsets"))
    selectors = list(SELECTORS.values())
    # Prompts are needed for the shared solutions too, and the engine is closed when the samples are there.
    generator = task.open_engine(task.inputs["generator"])
    prompts = prompts_of(generator, problems, config.prompt)
    evaluation = evaluate_policy(
        generator,
        models,
        problems,
        config,
        [draw],
        greedy=derive_seed(task.seed, "greedy"),
        selectors=selectors,
        progress=task.progress,
    )
    shared = read_parquet(task.inputs["shared"] / "solutions.parquet", columns=[*by_base.columns, "seed"])
    shared = shared.filter((pl.col("seed") == 0) & (pl.col("sample") < config.step_samples))
    # More problems may have been solved there than are evaluated here.
    shared = shared.join(problems, on="problem_id", how="semi", maintain_order="left")
    on_shared = evaluate_solutions(
        shared, prompts, models, config.subsets, [draw], selectors=selectors, progress=task.progress
    )
    by_generator = evaluation.measures(0)
    measures = {
        "base_pass@1": _accuracy(by_base),
        GREEDY: by_generator[GREEDY],
        PASS_AT_1: by_generator[PASS_AT_1],
        **_reward_measures(evaluation, config, problems),
        **{SHARED + name: values for name, values in _reward_measures(on_shared, config, problems).items()},
    }
    table = pl.DataFrame(
        [(name, float(values.mean()), values.tolist()) for name, values in measures.items()],
        schema={"measure": pl.String, "value": pl.Float64, "per_problem": pl.List(pl.Float64)},
        orient="row",
    )
    table.write_parquet(task.out / MEASURES)
    shown = table.select("measure", "value")
    cost += evaluation.cost + on_shared.cost
    return Outcome(dict(shown.iter_rows()), cost, table.height, shown.to_dicts())


def _reward_measures(
    evaluation: Evaluation, config: ModelEvalConfig, problems: pl.DataFrame
) -> dict[str, Floats]:
    """Accuracy of each selector at all samples of each problem, and the PRMs' step F1 (one value for all)."""
    n = evaluation.pools[0].samples
    chosen = evaluation.measures(0)
    measures = {f"{name}@{n}": chosen[f"{selector}@{n}"] for name, selector in SELECTORS.items()}
    rated = evaluation.solutions.filter(pl.col("sample") < config.step_samples)
    for name, p_right in (("step_f1", "p_right"), ("step_f1_plain", "p_right_plain")):
        figures = step_figures(rated_steps(rated.with_columns(p_right=pl.col(p_right)), problems))
        # Without the exact checker's ratings there is no step F1, as for problems that are no expressions.
        if (f1 := figures.get("step_f1")) is not None:
            measures[name] = np.array([float(f1)])
    return measures


def _accuracy(solutions: pl.DataFrame) -> Floats:
    """[problems], in the order of their ids."""
    table = solutions.group_by("problem_id").agg(pl.col("correct").cast(pl.Float64).mean())
    return np.asarray(table.sort("problem_id")["correct"].to_numpy())
