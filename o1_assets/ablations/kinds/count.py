"""How often each kind of error is made: by GPT*, by each baby-o1, and in the corpus that the base grew up on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import polars as pl

from o1_assets.ablations.kinds.config import KindsResultConfig
from o1_assets.ablations.kinds.explain import first_wrong
from o1_assets.ablations.rounds.judge import first_samples
from o1_assets.artifact import Task
from o1_assets.base.corpus import draw_corpus
from o1_assets.labels.arithmetic_judge import expression_of
from o1_assets.problems.expression import Expression

GENERATOR, LAST = "GPT*", "last baby-o1"
_EXPRESSION = re.compile(r"[-+*\d ]*\d")


def expressions_of(problems: pl.DataFrame) -> dict[str, Expression]:
    found = {row["problem_id"]: expression_of(row) for row in problems.iter_rows(named=True)}
    return {problem: expression for problem, expression in found.items() if expression is not None}


def with_kinds(solutions: pl.DataFrame, expressions: dict[str, Expression]) -> pl.DataFrame:
    """With wrong_step and kind of each solution's first wrong step, null where there is none; solutions of problems
    without an expression are left out."""
    solutions = solutions.filter(pl.col("problem_id").is_in(list(expressions)))
    found = [
        first_wrong(expressions[problem], steps)
        for problem, steps in solutions.select("problem_id", "steps").iter_rows()
    ]
    return solutions.with_columns(
        pl.Series("wrong_step", [f and f[0] for f in found], dtype=pl.Int32),
        pl.Series("kind", [f and f[1] for f in found], dtype=pl.String),
    )


def pool_of(task: Task, config: KindsResultConfig, expressions: dict[str, Expression]) -> pl.DataFrame:
    """Held-out solutions of GPT* and of the last policy, none twice. author: whose."""
    parts = []
    for author, name in ((GENERATOR, "generator_eval"), (LAST, "policy_eval")):
        table = first_samples(task.inputs[name], config.samples)
        parts.append(
            table.select("problem_id", "text", "steps", "token_ids", "correct").with_columns(
                author=pl.lit(author)
            )
        )
    together = pl.concat(parts).unique(["problem_id", "text"], keep="first", maintain_order=True)
    return with_kinds(together.sort("problem_id", "text"), expressions)


def how_often(
    task: Task, rounds: Sequence[int], expressions: dict[str, Expression], config: KindsResultConfig
) -> dict[str, dict[str, float]]:
    """GPT* and v0, v1, .. -> first errors of each kind in a thousand solutions, on the rounds' problems."""
    evals = {f"v{k}": first_samples(task.inputs[f"eval_{k:02d}"], config.samples) for k in rounds}
    problems = evals[f"v{rounds[0]}"]["problem_id"].unique().to_list()
    evals = {GENERATOR: first_samples(task.inputs["generator_eval"], config.samples, problems), **evals}
    return {
        name: _a_thousand(with_kinds(table, expressions)["kind"].to_list()) for name, table in evals.items()
    }


def _a_thousand(kinds: Sequence[str | None]) -> dict[str, float]:
    counts = Counter(kind for kind in kinds if kind is not None)
    return {kind: 1000 * count / len(kinds) for kind, count in counts.items()}


def in_corpus(config: KindsResultConfig, seed: int) -> dict[str, float]:
    """First errors of each kind in a thousand solutions of the corpus that the base grew up on, at full length."""
    drawn = config.corpus.model_copy(update={"solutions": config.corpus_solutions, "curriculum": 0.0})
    found: list[str | None] = []
    for question, steps in draw_corpus(drawn, seed, ()):
        match = _EXPRESSION.search(question)
        assert match is not None, question
        wrong = first_wrong(Expression.parse(match[0].strip()), steps)
        found.append(None if wrong is None else wrong[1])
    return _a_thousand(found)
