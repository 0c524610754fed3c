"""problems/train and problems/test: distinct problems that the filter allows, in the shares asked for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from o1_assets.core.artifact import Figures, Outcome, Task
from o1_assets.problems.answers.read import solver_forms
from o1_assets.problems.canonical import flat_expression, problem_id, side
from o1_assets.problems.config import (
    ArithmeticFilter,
    CountdownFilter,
    FileSource,
    Gsm8kSource,
    MathSource,
    ProblemsConfig,
    ReasoningGymSource,
    WordProblemsSource,
)
from o1_assets.problems.expression import Expression
from o1_assets.problems.grading import EXACT_GENERATORS, grade
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem, Source, summary
from o1_assets.problems.sources import open_source
from o1_assets.problems.worlds.countdown.rules import Countdown, luck, reachable

LEFT_OUT = "left_out.jsonl"
"""A line for each row that could not be used: its place, the reason, the remedy. It is written where there are any."""

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
    """problems: in the order drawn. counts: what happened to everything that was drawn, by name. left_out: the rows
    that cannot be used, with their reasons."""

    problems: list[RawProblem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)


def make_train(task: Task, config: ProblemsConfig) -> Outcome:
    """Writes problems.parquet with config.train problems, none of them on the test side."""
    return _make(task, config, "train", config.train)


def make_test(task: Task, config: ProblemsConfig) -> Outcome:
    """Writes problems.parquet with config.test problems, none of them on the train side."""
    return _make(task, config, "test", config.test)


def check_source(config: ProblemsConfig, wanted: str, seed: int, quick: bool) -> None:
    """Raises ProblemError if the source cannot be opened or read, or is seen to have too few problems.

    quick: without what takes more than a moment: reasoning_gym takes two seconds to load.
    """
    match config.source:
        case ReasoningGymSource(generators=generators):
            if not quick:
                from o1_assets.problems.reasoning_gym_source import open_dataset

                open_source(config.source)
                for generator in generators:
                    open_dataset(generator, 0, 1)
        case (
            FileSource()
            | Gsm8kSource(folder=str())
            | MathSource(folder=str())
            | WordProblemsSource(folder=str())
        ):
            # What cannot be graded is looked for when the table is made, unless it refuses the whole source.
            graded = config.ungradable == "refuse"
            size = config.test if wanted == "test" else config.train
            take(open_source(config.source), config, wanted, size, seed, graded)


def _make(task: Task, config: ProblemsConfig, wanted: str, size: int) -> Outcome:
    draw = take(open_source(config.source), config, wanted, size, task.seed)
    table = as_table(draw.problems)
    table.write_parquet(task.out / "problems.parquet")
    task.progress(f"{len(table)} {wanted} problems out of {draw.counts['drawn']} drawn")
    levels = Counter(problem.difficulty for problem in draw.problems)
    return Outcome(
        figures={
            "problems": len(table),
            **{name: draw.counts[name] for name in ("drawn", "duplicates", "filtered_out", "left_out")},
            **_report(task, draw.left_out),
            "answers_corrected": sum(problem.corrected for problem in draw.problems),
            **{f"difficulty_{level}": levels[level] for level in sorted(levels)},
        },
        rows=len(table),
        sample=table.head(5).drop("metadata").to_dicts(),
    )


def _report(task: Task, left_out: Sequence[LeftOut]) -> Figures:
    """Writes left_out.jsonl, if anything was left out, and returns its summary as a figure."""
    if not left_out:
        return {}
    reasons = summary(left_out)
    task.progress(f"{len(left_out)} left out: {reasons}")
    with (task.out / LEFT_OUT).open("w", encoding="utf-8") as file:
        for row in left_out:
            line = {"place": row.place, "reason": row.reason, "detail": row.detail, "remedy": row.remedy}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return {"left_out_because": reasons}


def take(
    source: Source, config: ProblemsConfig, wanted: str, size: int, seed: int, graded: bool = True
) -> ProblemDraw:
    """The first `size` distinct problems of side `wanted` that can be used.

    graded: whether problems that cannot be graded are looked for. Raises ProblemError if there are not so many, or
    where one cannot be graded and config.ungradable is "refuse".
    """
    missing = quotas(size, config.shares)
    draw, seen, in_vain = ProblemDraw(), set[str](), 0
    for problem in source.problems(seed) if source.endless else _consistent(source.problems(seed)):
        if isinstance(problem, LeftOut):
            draw.left_out.append(problem)
            draw.counts["left_out"] += 1
            in_vain += 1
        else:
            if config.countdown is not None:
                problem = _asked_shortly(problem)
            draw.counts["drawn"] += 1
            level = problem.difficulty if config.shares is not None else None
            reason = _why_not(problem, config, wanted, seen)
            if reason is None and missing.get(level, 0) <= 0:
                reason = "not_needed"
            if reason is None and graded and (refusal := ungradable(problem)):
                if config.ungradable == "refuse":
                    raise refusal
                draw.left_out.append(refusal)
                reason = "left_out"
            if reason is None:
                missing[level] -= 1
                in_vain = 0
                draw.problems.append(problem)
                if not any(missing.values()):
                    return draw
                continue
            draw.counts[reason] += 1
            in_vain += 1
        # A small generator has drawn all its problems after a while, and says nothing: it only repeats them.
        if source.endless and in_vain >= config.patience:
            break
    raise ProblemError(_shortage(missing, config, wanted, size, draw))


def ungradable(problem: RawProblem) -> LeftOut | None:
    """Why every solution of this problem would count as wrong, or some right ones; None if it can be graded."""
    answer = problem.answer
    # The scorers of these generators compare with the stored text alone.
    if problem.grader.partition(":")[2] in EXACT_GENERATORS and answer:
        return None
    row = {"answer": answer, "metadata": _metadata(problem)}
    forms = solver_forms(answer) if problem.grader == "math" else [answer]
    refused = [form for form in forms if not grade(problem.grader, form, row)]
    if not refused:
        return None
    return LeftOut(
        problem.place or f"{problem.source}, {problem.question[:60]!r}",
        "its own answer is refused by the grader",
        "write the answer in another form, or leave the row out",
        f"answer {answer[:60]!r}" + (f", written as {refused[0][:60]!r}" if refused[0] != answer else ""),
    )


def _consistent(items: Iterable[RawProblem | LeftOut]) -> Iterator[RawProblem | LeftOut]:
    """The same without problems that occur twice with different answers: nobody knows which of them is right."""
    read = list(items)
    first: dict[str, RawProblem] = {}
    contradicting: dict[str, RawProblem] = {}
    for item in read:
        if isinstance(item, LeftOut) or item.canonical in contradicting:
            continue
        # Each is compared with the first alone, so that a file of one question takes no square of its rows.
        if not _agree(first.setdefault(item.canonical, item), item):
            contradicting[item.canonical] = item
    for item in read:
        if isinstance(item, LeftOut) or item.canonical not in contradicting:
            yield item
        else:
            pair = (first[item.canonical], contradicting[item.canonical])
            yield _contradicted(item, pair[item.answer == pair[0].answer])


def _contradicted(problem: RawProblem, other: RawProblem) -> LeftOut:
    reason = "the same question has another answer elsewhere"
    detail = f"{problem.answer[:40]!r} here, {other.answer[:40]!r} in {other.place or other.source}"
    return LeftOut(problem.place or problem.source, reason, "correct one of the two, or remove both", detail)


def _agree(one: RawProblem, other: RawProblem) -> bool:
    """Whether two problems of the same content have the same answer, however it is written."""
    if one is other or one.answer == other.answer:
        return True
    pairs = ((one, other), (other, one))
    return any(grade(a.grader, b.answer, {"answer": a.answer, "metadata": _metadata(a)}) for a, b in pairs)


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


def allowed_countdown(problem: RawProblem, rule: CountdownFilter) -> bool:
    """Whether the filter keeps this problem; anything but countdown is never kept."""
    countdown = Countdown.stored(_metadata(problem))
    if countdown is None or not rule.min_numbers <= len(countdown.numbers) <= rule.max_numbers:
        return False
    if not reachable(countdown.numbers, countdown.target, rule.max_value):
        return False
    return rule.max_luck == 1 or luck(countdown, rule.max_value) <= rule.max_luck


def _asked_shortly(problem: RawProblem) -> RawProblem:
    """The problem in the corpus' wording, with the count of its numbers as difficulty; other problems as they are."""
    # reasoning_gym's own question is some seventy words of instructions, which a small base would read in vain.
    countdown = Countdown.stored(_metadata(problem))
    if countdown is None:
        return problem
    return replace(problem, question=str(countdown), difficulty=len(countdown.numbers))


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
            "metadata": _metadata(p),
        }
        for p in problems
    ]
    return pl.DataFrame(rows, schema=SCHEMA).sort("problem_id")


def _metadata(problem: RawProblem) -> str:
    return json.dumps(problem.metadata, sort_keys=True, default=str)


def _why_not(problem: RawProblem, config: ProblemsConfig, wanted: str, seen: set[str]) -> str | None:
    """The name of the count for a problem that may not be taken; None if it may."""
    # Duplicates come first, so that both sides see the same ones: the first occurrence decides the side.
    if problem.canonical in seen:
        return "duplicates"
    seen.add(problem.canonical)
    if (problem.split or side(problem.group or problem.canonical, config.test_fraction)) != wanted:
        return "other_side"
    if config.countdown is not None and not allowed_countdown(problem, config.countdown):
        return "filtered_out"
    if config.arithmetic is not None and not allowed(flat_expression(problem.canonical), config.arithmetic):
        return "filtered_out"
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
    example = f" The first that was left out: {draw.left_out[0]}" if draw.left_out else ""
    limits = [f"problems.{name}" for name in ("arithmetic", "countdown", "shares") if getattr(config, name)]
    return (
        f"The source ({config.source.kind}) has only {len(draw.problems)} of the {size} distinct {wanted} problems"
        f" asked for: {lacking} needed ({counts}); ask for fewer (problems.{wanted}), or widen "
        f"{' or '.join(['problems.source', *limits])}.{example}"
    )
