"""rNN/solutions: the newest policy solves a fresh draw of train problems, several times each; a share is searched."""

from __future__ import annotations

import polars as pl

from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.flops import flops_generate
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.problems.solutions import generated_tokens, readable, sample_solutions
from o1_assets.rounds.config import SolutionsConfig
from o1_assets.rounds.search import with_searched


def make_solutions(task: Task, config: SolutionsConfig) -> Outcome:
    """Inputs: policy (checkpoint), train (problems); prm and generator where searches are configured.

    Writes solutions.parquet, `samples` rows a drawn problem. With searches, their solutions follow, and the column
    `source` says where a solution comes from.
    """
    train = read_parquet(task.inputs["train"] / "problems.parquet")
    # The problems are a draw of their own seed, so that another number of samples leaves them as they are.
    problems = train.sample(
        min(config.problems, train.height), seed=derive_seed(task.seed, "problems"), shuffle=True
    )
    engine = task.open_engine(task.inputs["policy"])
    solutions = sample_solutions(
        engine,
        problems,
        n=config.samples,
        params=SamplingParams(
            max_tokens=config.prompt.max_tokens, temperature=config.temperature, shared=True
        ),
        seed=derive_seed(task.seed, "samples"),
        prompt=config.prompt,
    )
    tokens = generated_tokens(solutions)
    cost = Cost(flops=flops_generate(engine.parameters, tokens), tokens_generated=tokens)
    figures: Figures = {}
    table = solutions
    if config.searches:
        table, figures, spent = with_searched(task, config, problems, solutions, engine)
        cost += spent
    engine.close()
    table.write_parquet(task.out / "solutions.parquet")
    # The figures below are those of the policy's own samples, with which rounds can be compared.
    return Outcome(
        figures={
            "problems": problems.height,
            "solutions": solutions.height,
            "correct": solutions.select(pl.col("correct").mean()).item(),
            "finished": solutions.select(pl.col("finished").mean()).item(),
            "distinct": solutions.select("problem_id", "text").n_unique() / solutions.height,
            **figures,
        },
        cost=cost,
        rows=table.height,
        sample=readable(problems, solutions),
    )
