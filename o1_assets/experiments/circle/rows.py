"""circle/.../rows: what a base writes about train problems, and which of it the base of the next generation reads."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from o1_assets.core.artifact import Figures, Outcome, Task
from o1_assets.core.errors import O1Error
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.evaluation.evaluate_policy import PRM, EvalModels, prompts_of, sample
from o1_assets.experiments.circle.config import RowsConfig, with_words
from o1_assets.problems.worlds.arithmetic.world import WORLD

VOTED = "voted"
"""Column of solutions: whether their answer is the one that the vote chose."""

KIND = "subtracts twice"


class NothingKept(O1Error, ValueError):
    """No solution may be learned from; the message says what to change."""


def is_held_out(metadata: str) -> bool:
    """Whether a problem subtracts more than once: the kind that no generation trains on.

    Two thirds of the corpus' writers take 9-4-3 for 9-(4-3), so that there is something to unlearn that other problems
    do not show.
    """
    problem = WORLD.stored(metadata)
    return problem is not None and problem.ops.count("-") > 1


def held_out_kind(problems: pl.DataFrame) -> pl.Series:
    """Of each problem whether it is of the held-out kind."""
    return pl.Series([is_held_out(row) for row in problems["metadata"]], dtype=pl.Boolean)


def problems_of(train: pl.DataFrame, config: RowsConfig) -> pl.DataFrame:
    """The generation's train problems: others than those of the one before, as far as there are enough."""
    train = train.sort("problem_id").filter(~held_out_kind(train))
    count = min(config.problems, train.height)
    first = (config.generation - 1) * count
    return train[[i % train.height for i in range(first, first + count)]]


def make_rows(task: Task, config: RowsConfig) -> Outcome:
    """Inputs: base, train (problems), and where chains are verified prm, orm, generator.

    Writes rows.parquet: solution_id, problem_id, question, text; config.rows of them. Raises NothingKept.
    """
    problems = problems_of(read_parquet(task.inputs["train"] / "problems.parquet"), config)
    asks = config.prompt if config.kept == "direct" else with_words(config.prompt)
    sampling = SamplingConfig(
        problems=max(2, problems.height), samples=config.samples, temperature=config.temperature, prompt=asks
    )
    engine = task.open_engine(task.inputs["base"])
    task.progress(f"{problems.height} problems, {config.samples} solutions each")
    solutions, cost = sample(engine, problems, sampling, task.seed)
    # The reward models know no instructions: they read the question alone.
    prompts = prompts_of(engine, problems, config.prompt)
    engine.close()
    figures: Figures = {"right_share": _mean(solutions["correct"])}
    if config.kept == "verified":
        from o1_assets.engine.checkpoint import load_tokenizer

        inputs = task.inputs
        models = EvalModels(inputs["prm"], inputs["generator"], inputs["orm"], log_probabilities=False)
        readable = readable_by(len(load_tokenizer(inputs["generator"])))
        solutions, scored = models.score(solutions.filter(readable), prompts, task.progress)
        solutions = solutions.with_columns(voted())
        cost += scored
        figures["vote_right_share"] = _vote_right(solutions)
    kept = solutions.filter(KEEP[config.kept](config))
    # Counted before repetitions go: what the verification lets through.
    figures |= {
        "kept_share": kept.height / (problems.height * config.samples),
        "right_share_of_kept": _mean(kept["correct"]),
    }
    kept = distinct(kept, config.per_problem)
    if kept.is_empty():
        raise NothingKept(
            f"none of the base's {problems.height * config.samples} solutions may be learned from; sample more "
            "(circle.rows.problems, circle.rows.samples), or lower circle.rows.least_score"
        )
    figures |= {"different": kept.height, "problems": kept["problem_id"].n_unique()}
    rows = kept.join(problems.select("problem_id", "question"), on="problem_id", maintain_order="left")
    rows = rows.select("solution_id", "problem_id", "question", "text")
    # Equal numbers for all arms: what comes out may differ by what was read, never by how much.
    rows = rows.sample(fraction=1, shuffle=True, seed=task.seed % 2**32)[
        [i % rows.height for i in range(config.rows)]
    ]
    rows.write_parquet(task.out / "rows.parquet")
    return Outcome(figures, cost, rows.height, rows.head(5).select("question", "text").to_dicts())


def _mean(values: pl.Series) -> float | None:
    mean = values.cast(pl.Float64).mean()
    return None if mean is None else float(str(mean))


def readable_by(vocabulary: int) -> pl.Expr:
    """Solutions that models with so many tokens can read: now and then the base writes an instruction's token."""
    return (pl.col("token_ids").list.max() < vocabulary).fill_null(False)


def voted() -> pl.Expr:
    """Whether a solution has the answer whose solutions' PRM scores have the largest sum (Li et al., arXiv:2206.02336).

    Self-consistency (arXiv:2203.11171) with each vote weighted by the PRM. No answer key is read.
    """
    weight = pl.when(pl.col("answer").is_not_null()).then(pl.col(PRM)).sum().over("problem_id", "answer")
    return (pl.col("answer").is_not_null() & (weight == weight.max().over("problem_id"))).alias(VOTED)


def _vote_right(solutions: pl.DataFrame) -> float:
    """Share of problems whose chosen answer is right. Only reported."""
    right = solutions.group_by("problem_id").agg((pl.col(VOTED) & pl.col("correct")).any())
    return float(right[VOTED].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]


def verified(config: RowsConfig) -> pl.Expr:
    """Chains with the chosen answer that PRM and ORM accept."""
    accepted = pl.min_horizontal(PRM, "orm") >= config.least_score
    return is_chain() & pl.col("finished") & pl.col(VOTED) & accepted


def is_chain() -> pl.Expr:
    """Of solutions: the answer does not stand alone."""
    return pl.col("steps").list.len() > 1


KEEP: dict[str, Callable[[RowsConfig], pl.Expr]] = {
    "verified": verified,
    "unverified": lambda config: is_chain() & pl.col("finished"),
    # By the answer key, which is more than verified chains are given: no reward model can check an answer alone.
    "direct": lambda config: ~is_chain() & pl.col("correct"),
}


def distinct(solutions: pl.DataFrame, per_problem: int) -> pl.DataFrame:
    """The first different solutions of each problem, in the given order."""
    first = solutions.unique(subset=["problem_id", "text"], keep="first", maintain_order=True)
    return first.filter(pl.int_range(pl.len()).over("problem_id") < per_problem)
