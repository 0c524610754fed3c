"""One model of the comparison on held-out problems: how well it solves them, and how well its reward models judge.

Writes measures.parquet (measure, value, per_problem) and spent.json (FLOPs of each stage).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, StageConfig, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, Pool, curves
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.evaluation.scored import PROBLEMS_A_CHUNK, SCORES, add_scores, held_out, prompts_of, sample
from o1_assets.evaluation.statistics import Floats
from o1_assets.evaluation.steps import rated_steps, step_figures
from o1_assets.experiments.model_size.config import Shape
from o1_assets.experiments.variants import read_cost
from o1_assets.reward.aggregate import right_probabilities, solution_score

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from o1_assets.core.engine import Engine
    from o1_assets.reward.score import Scorer


SELECTORS = {
    "prm": "prm_product",
    "prm_plain": "prm_plain",
    "orm": "orm",
    "min_logprob": "min_logprob",
    "majority": MAJORITY,
    "any": PASS,
}
"""Name in a measure -> selector. prm_plain: the PRM without the probability feature."""


STAGES = ("base", "generator", "prm", "prm_plain", "orm")


SHARED = "shared_"
"""Before the name of a measure on solutions by the profile's own GPT*, which are the same for every model."""


class JudgedConfig(StageConfig):
    """sampling: of GPT*. base_samples: solutions a problem by the base."""

    shape: Shape
    sampling: RoundEvalConfig
    base_samples: int


def judge_model(task: Task, config: JudgedConfig) -> Outcome:
    """Inputs: base, generator, prm, prm_plain, orm, test (problems), shared (eval/generator: solutions)."""
    from o1_assets.reward.score import load_scorer, open_generator

    problems = held_out(pl.read_parquet(task.inputs["test"] / "problems.parquet"), config.sampling.problems)
    engine = task.open_engine(task.inputs["base"])
    few = config.sampling.model_copy(update={"samples": config.base_samples})
    first, cost = sample(engine, problems, few, derive_seed(task.seed, "base"))
    engine.close()
    engine = task.open_engine(task.inputs["generator"])
    greedy, spent = sample(engine, problems, config.sampling, derive_seed(task.seed, "greedy"), greedy=True)
    task.progress(f"{problems.height} problems, {config.sampling.samples} solutions each")
    solutions, sampling = sample(engine, problems, config.sampling, derive_seed(task.seed, "samples"))
    cost += spent + sampling
    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"], task.inputs["orm"])
    plain = load_scorer(task.inputs["prm_plain"], task.inputs["generator"])
    generator = scorer.generator or open_generator(task.inputs["generator"])
    measures = {
        "base_pass@1": _accuracy(first),
        "greedy": _accuracy(greedy),
        "pass@1": _accuracy(solutions),
    }
    own, judging = _judge(task, config, engine, problems, solutions, (scorer, plain, generator))
    measures |= own
    shared = pl.read_parquet(
        task.inputs["shared"] / "solutions.parquet", columns=[*solutions.columns, "seed"]
    )
    shared = shared.filter((pl.col("seed") == 0) & (pl.col("sample") < config.sampling.step_samples))
    shared = shared.drop("seed").join(problems, on="problem_id", how="semi", maintain_order="left")
    same, reading = _judge(task, config, engine, problems, shared, (scorer, plain, generator))
    measures |= {SHARED + name: values for name, values in same.items()}
    engine.close()
    table = pl.DataFrame(
        [(name, float(values.mean()), values.tolist()) for name, values in measures.items()],
        schema={"measure": pl.String, "value": pl.Float64, "per_problem": pl.List(pl.Float64)},
        orient="row",
    )
    table.write_parquet(task.out / "measures.parquet")
    spent_on = {stage: read_cost(task.inputs[stage])["flops"] for stage in STAGES}
    (task.out / "spent.json").write_text(json.dumps(spent_on, indent=1) + "\n")
    shown = table.select("measure", "value")
    return Outcome(dict(shown.iter_rows()), cost + judging + reading, table.height, shown.to_dicts())


def _judge(
    task: Task,
    config: JudgedConfig,
    engine: Engine,
    problems: pl.DataFrame,
    solutions: pl.DataFrame,
    models: tuple[Scorer, Scorer, PreTrainedModel],
) -> tuple[dict[str, Floats], Cost]:
    """Accuracy of each selector at all samples of each problem, and the PRMs' step F1 (one value for all)."""
    scorer, plain, generator = models
    prompts = prompts_of(engine, problems, config.sampling.prompt)
    scored, cost = add_scores(solutions, prompts, scorer, generator, task.progress)
    chances, scores, reading = _without_feature(solutions, prompts, plain, task.progress)
    scored = scored.with_columns(pl.Series("prm_plain", scores, dtype=pl.Float64))
    pool = Pool.from_frame(scored, (*SCORES, "prm_plain"))
    n = pool.samples
    found = curves(
        pool, list(SELECTORS.values()), (n,), config.sampling.subsets, derive_seed(task.seed, "subsets")
    )
    measures: dict[str, Floats] = {
        f"{name}@{n}": found[selector].per_problem[0] for name, selector in SELECTORS.items()
    }
    rated = pl.col("sample") < config.sampling.step_samples
    right = pl.Series("p_right", chances, dtype=pl.List(pl.Float64))
    for name, table in (("step_f1", scored), ("step_f1_plain", scored.with_columns(right))):
        figures = step_figures(rated_steps(table.filter(rated), problems))
        if (f1 := figures.get("step_f1")) is not None:
            measures[name] = pl.Series([float(f1)]).to_numpy()
    return measures, cost + reading


def _without_feature(
    solutions: pl.DataFrame, prompts: dict[str, list[int]], scorer: Scorer, progress: Callable[[str], None]
) -> tuple[list[list[float]], list[float], Cost]:
    """P(right) of each step and the product score of every solution by the PRM alone."""
    before = scorer.cost()
    chances: list[list[float]] = []
    scores: list[float] = []
    chunk = PROBLEMS_A_CHUNK * max(1, solutions.height // max(1, solutions["problem_id"].n_unique()))
    for start in range(0, solutions.height, chunk):
        part = solutions.slice(start, chunk)
        steps = scorer.step_probabilities(
            [prompts[problem] for problem in part["problem_id"]], part["token_ids"].to_list()
        )
        chances += [right_probabilities(s).tolist() for s in steps]
        scores += [solution_score(s, "product") for s in steps]
        progress(f"scored {min(start + chunk, solutions.height)} of {solutions.height} without the feature")
    after = scorer.cost()
    return (
        chances,
        scores,
        Cost(after.flops - before.flops, tokens_scored=after.tokens_scored - before.tokens_scored),
    )


def _accuracy(solutions: pl.DataFrame) -> Floats:
    """Of each problem, in the order of their ids."""
    table = solutions.group_by("problem_id").agg(pl.col("correct").cast(pl.Float64).mean())
    found: Floats = table.sort("problem_id")["correct"].to_numpy()
    return found
