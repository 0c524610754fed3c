"""problems/train and problems/test: distinct problems that the filter allows, in the shares asked for."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from o1_assets.core.artifact import Outcome, Task
from o1_assets.problems.canonical import flat_expression, problem_id, side
from o1_assets.problems.config import ArithmeticFilter, ProblemsConfig
from o1_assets.problems.expression import Expression
from o1_assets.problems.grading import grade
from o1_assets.problems.problem import ProblemError, RawProblem, Source
from o1_assets.problems.sources import open_source

SCHEMA = {
    "problem_id": pl.String,
    "question": pl.String,
    "answer": pl.String,
    "source": pl.String,
    "grader": pl.String,
    "difficulty": pl.Int32,
    "metadata": pl.String,
}


@dataclass
class ProblemDraw:
    """problems: in the order drawn. counts: what happened to everything that was drawn, by name."""

    problems: list[RawProblem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def make_train(task: Task, config: ProblemsConfig) -> Outcome:
    """Writes problems.parquet with config.train problems, none of them on the test side."""
    return _make(task, config, "train", config.train)


def make_test(task: Task, config: ProblemsConfig) -> Outcome:
    """Writes problems.parquet with config.test problems, none of them on the train side."""
    return _make(task, config, "test", config.test)


def _make(task: Task, config: ProblemsConfig, wanted: str, size: int) -> Outcome:
    draw = take(open_source(config.source), config, wanted, size, task.seed)
    table = as_table(draw.problems)
    table.write_parquet(task.out / "problems.parquet")
    task.progress(f"{len(table)} {wanted} problems out of {draw.counts['drawn']} drawn")
    levels = Counter(problem.difficulty for problem in draw.problems)
    return Outcome(
        figures={
            "problems": len(table),
            **{name: draw.counts[name] for name in ("drawn", "duplicates", "filtered_out", "ungradable")},
            "answers_corrected": sum(problem.corrected for problem in draw.problems),
            **{f"difficulty_{level}": levels[level] for level in sorted(levels)},
        },
        rows=len(table),
        sample=table.head(5).drop("metadata").to_dicts(),
    )


def take(source: Source, config: ProblemsConfig, wanted: str, size: int, seed: int) -> ProblemDraw:
    """The first `size` distinct problems of side `wanted`. Raises ProblemError if there are not so many."""
    missing = quotas(size, config.shares)
    draw, seen, in_vain = ProblemDraw(), set[str](), 0
    for problem in source.problems(seed):
        draw.counts["drawn"] += 1
        level = problem.difficulty if config.shares is not None else None
        reason = _why_not(problem, config, wanted, seen)
        if reason is None and missing.get(level, 0) > 0:
            missing[level] -= 1
            in_vain = 0
            draw.problems.append(problem)
            if not any(missing.values()):
                return draw
            continue
        draw.counts[reason or "not_needed"] += 1
        in_vain += 1
        # A small generator has drawn all its problems after a while, and says nothing: it only repeats them.
        if source.endless and in_vain >= config.patience:
            break
    raise ProblemError(_shortage(missing, config, wanted, size, draw))


def quotas(size: int, shares: dict[int, float] | None) -> dict[int | None, int]:
    """How many of each difficulty, by largest remainder; {None: size} where difficulties are as drawn."""
    if shares is None:
        return {None: size}
    total = sum(shares.values())
    exact = {level: size * share / total for level, share in sorted(shares.items())}
    whole: dict[int | None, int] = {level: int(number) for level, number in exact.items()}
    # Ties go to the lower difficulty, so that the same shares always give the same numbers.
    by_remainder = sorted(exact, key=lambda level: (int(exact[level]) - exact[level], level))
    for level in by_remainder[: size - sum(whole.values())]:
        whole[level] += 1
    return whole


def allowed(expression: Expression | None, rule: ArithmeticFilter) -> bool:
    """Whether the filter keeps this expression; None (not flat arithmetic) is never kept."""
    if expression is None or not rule.min_terms <= len(expression.numbers) <= rule.max_terms:
        return False
    if rule.one_of and not set(rule.one_of) & set(expression.ops):
        return False
    if rule.max_factor is not None:
        for i, op in enumerate(expression.ops):
            if op == "*" and max(abs(n) for n in expression.numbers[i : i + 2]) > rule.max_factor:
                return False
    if rule.max_value is None:
        return True
    # Intermediate values too: what a step has to add up is as hard as what is written.
    while expression.ops:
        if max(map(abs, expression.numbers)) > rule.max_value:
            return False
        expression = expression.reduce(expression.next_index())
    return abs(expression.numbers[0]) <= rule.max_value


def as_table(problems: list[RawProblem]) -> pl.DataFrame:
    """problems.parquet, sorted by problem_id."""
    rows = [
        {
            "problem_id": problem_id(p.canonical),
            "question": p.question,
            "answer": p.answer,
            "source": p.source,
            "grader": p.grader,
            "difficulty": p.difficulty,
            "metadata": json.dumps(p.metadata, sort_keys=True, default=str),
        }
        for p in problems
    ]
    return pl.DataFrame(rows, schema=SCHEMA).sort("problem_id")


def _why_not(problem: RawProblem, config: ProblemsConfig, wanted: str, seen: set[str]) -> str | None:
    """The name of the count for a problem that may not be taken; None if it may."""
    # Duplicates come first, so that both sides see the same ones: the first occurrence decides the side.
    if problem.canonical in seen:
        return "duplicates"
    seen.add(problem.canonical)
    if (problem.split or side(problem.canonical, config.test_fraction)) != wanted:
        return "other_side"
    if config.arithmetic is not None and not allowed(flat_expression(problem.canonical), config.arithmetic):
        return "filtered_out"
    # An answer that the grader does not accept as its own would count every solution as wrong.
    if problem.grader == "math" and not grade("math", problem.answer, {"answer": problem.answer}):
        return "ungradable"
    return None


def _shortage(
    missing: dict[int | None, int], config: ProblemsConfig, wanted: str, size: int, draw: ProblemDraw
) -> str:
    lacking = ", ".join(
        f"{n} more" + (f" of difficulty {level}" if level is not None else "")
        for level, n in missing.items()
        if n
    )
    counts = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in sorted(draw.counts.items()))
    return (
        f"The source ({config.source.kind}) has only {len(draw.problems)} of the {size} distinct {wanted} problems"
        f" asked for: {lacking} needed ({counts}); ask for fewer, or widen the source, the filter or the shares."
    )
