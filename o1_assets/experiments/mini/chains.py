"""mini/chains and mini/generator_chains: solutions of baby-o1, and of GPT*, for a smaller model to imitate."""

from __future__ import annotations

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.errors import O1Error
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.evaluation.evaluate_policy import PRM, EvalModels, prompts_of, sample
from o1_assets.experiments.mini.config import CHOICE_SHARE, TeachersChainsConfig
from o1_assets.generator.config import SftSetConfig
from o1_assets.generator.samples import select
from o1_assets.reward.dataset import held_out


class NothingAccepted(O1Error, ValueError):
    """No solution of the teacher may be imitated; the message says what to change."""


def train_problems(train: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(problems that arms train on, problems that choose among the arms), both sorted by their ids."""
    train = train.sort("problem_id")
    mask = pl.Series([held_out(name, CHOICE_SHARE) for name in train["problem_id"]], dtype=pl.Boolean)
    return train.filter(~mask), train.filter(mask)


def make_chains(task: Task, config: TeachersChainsConfig) -> Outcome:
    """Inputs: teacher, train (problems), and where reward models accept: prm, orm, generator.

    Writes sft_set.parquet: solution_id, problem_id, question, text. Raises NothingAccepted.
    """
    problems, _ = train_problems(read_parquet(task.inputs["train"] / "problems.parquet"))
    problems = problems.head(config.problems)
    engine = task.open_engine(task.inputs["teacher"])
    task.progress(f"{problems.height} problems, {config.samples} solutions each")
    sampling = SamplingConfig(
        problems=problems.height,
        samples=config.samples,
        temperature=config.temperature,
        prompt=config.prompt,
    )
    solutions, cost = sample(engine, problems, sampling, task.seed)
    prompts = prompts_of(engine, problems, config.prompt)
    engine.close()
    if config.accepted_by == "reward_models":
        solutions, scored = _accepted(task, solutions, prompts, config)
        cost += scored
    else:
        solutions = solutions.with_columns(accepted="correct")
    right = solutions.filter("accepted")["correct"].mean()
    limits = SftSetConfig(per_problem=config.per_problem, min_steps=config.min_steps)
    chosen = select(solutions.with_columns(correct="accepted"), limits)
    chosen = chosen.join(problems.select("problem_id", "question"), on="problem_id", maintain_order="left")
    chosen = chosen.select("solution_id", "problem_id", "question", "text")
    if chosen.is_empty():
        raise NothingAccepted(
            f"none of the teacher's {solutions.height} solutions was accepted; sample more (mini.chains.problems, "
            "mini.chains.samples), or lower mini.chains.least_score"
        )
    chosen.write_parquet(task.out / "sft_set.parquet")
    return Outcome(
        figures={
            "solutions": chosen.height,
            "problems": chosen["problem_id"].n_unique(),
            "accepted_share": float(solutions.select(pl.col("accepted").mean()).item()),
            # Only reported: where reward models accept, no answer decides.
            "right_share_of_accepted": None if right is None else float(str(right)),
        },
        cost=cost,
        rows=chosen.height,
        sample=chosen.head(5).select("question", "text").to_dicts(),
    )


def _accepted(
    task: Task, solutions: pl.DataFrame, prompts: dict[str, list[int]], config: TeachersChainsConfig
) -> tuple[pl.DataFrame, Cost]:
    inputs = task.inputs
    models = EvalModels(inputs["prm"], inputs["generator"], inputs["orm"], log_probabilities=False)
    scored, cost = models.score(solutions, prompts, task.progress)
    return acceptable(scored, config), cost


def acceptable(scored: pl.DataFrame, config: TeachersChainsConfig) -> pl.DataFrame:
    """The solutions with a column `accepted`. scored: as `EvalModels.score` gives them."""
    both = pl.min_horizontal(PRM, "orm") >= config.least_score
    return scored.with_columns(accepted=both & pl.col("finished"))
