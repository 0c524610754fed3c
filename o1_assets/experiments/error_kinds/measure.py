"""Kinds of errors: what a first wrong step is called, which reward model finds it, and how often each is made."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost, Task
from o1_assets.evaluation.statistics import Floats
from o1_assets.experiments.error_kinds.config import KindsResultConfig
from o1_assets.experiments.rounds.measure import first_samples
from o1_assets.problems.expression import Expression, Operation
from o1_assets.problems.worlds.arithmetic.misconceptions import (
    NAMES,
    ORDER,
    RESULT,
    OrderMisconception,
    ResultMisconception,
    explanations,
)
from o1_assets.problems.worlds.arithmetic.teacher import draw_corpus
from o1_assets.problems.worlds.arithmetic.world import WORLD, expression_of
from o1_assets.reward.aggregate import right_probabilities
from o1_assets.reward.score import load_scorers
from o1_assets.reward.train import area_under_curve

# What the first wrong step of a solution is called: a misconception's name, a slip, or one of OTHERS.

SLIP, ORDER_OTHER, GUESS = "slip", "order_unexplained", "wrong_answer"
FALSE_CHECK, NO_CORRECTION, UNREADABLE = "false_check", "false_correction", "unreadable"
COPY, LEFT = "not_there", "left_wrongly"

OTHERS: dict[str, str] = {
    SLIP: "a false result that no misconception gives",
    ORDER_OTHER: "an order of working that no misconception gives",
    GUESS: "a wrong final answer after right steps, or without any",
    COPY: "an operation on numbers that are not left of the expression",
    LEFT: "a right operation with a wrong statement of what is left",
    FALSE_CHECK: "a check of what was not done",
    NO_CORRECTION: "a correction of nothing",
    UNREADABLE: "no step of this world, or one after the answer",
}

KIND_OF_VERDICT = {
    "answer": GUESS,
    "check": FALSE_CHECK,
    "correction": NO_CORRECTION,
    "absent": COPY,
    "left": LEFT,
    "unreadable": UNREADABLE,
    "after_answer": UNREADABLE,
}

# Misconceptions first, in the order in which the corpus defines them.
KINDS: tuple[str, ...] = (*NAMES, *OTHERS)
_MISCONCEPTIONS: tuple[OrderMisconception | ResultMisconception, ...] = (*ORDER, *RESULT)
RATES: dict[str, float] = {m.name: m.rate for m in _MISCONCEPTIONS}
EXAMPLES: dict[str, str] = {m.name: m.example for m in _MISCONCEPTIONS}

# A check or a correction is an operation behind one of these words.
_WORD = re.compile(r"(?:check|wait) ")


def first_wrong(expression: Expression, steps: Sequence[str]) -> tuple[int, str] | None:
    """Index and kind of the first wrong step; None if there is none.

    Where several misconceptions would have written it, the one that most writers hold. Only the first wrong step
    counts: after an error that stands every later step is wrong, whatever it does.
    """
    trace = WORLD.start(expression)
    for index, text in enumerate(steps):
        after, verdict = WORLD.take_step(trace, text)
        if verdict.rating < 0:
            return index, KIND_OF_VERDICT.get(verdict.kind) or _kind(trace.state or (), trace.before, text)
        trace = after
    return None


def _kind(states: Sequence[Expression], before: Sequence[Expression] | None, text: str) -> str:
    """The kind of an operation that could be read but is wrong. before: the states that a correction goes back to."""
    corrects = text.startswith("wait ")
    operation = Operation.read(_WORD.sub("", text, count=1))
    assert operation is not None, f"{text} was read as an operation"
    a, op, b, result, _ = operation
    # There are several states where an earlier step could be read at several places of the expression.
    possible = [s for s in (before or () if corrects else states) if s.match(a, op, b)]
    names = {name for state in possible for name in explanations(state, a, op, b, result)}
    if names:
        return max(names, key=lambda name: (RATES[name], name))
    legal = any(i in state.legal_indices() for state in possible for i in state.match(a, op, b))
    return SLIP if legal else ORDER_OTHER


PRM, ORM, ALL = "PRM", "ORM", "all"

# In place of a kind: the row of the false-positive rate, the share of right steps, or answers, that look wrong.
RIGHT = "false alarms"


def detection(
    task: Task, pool: pl.DataFrame, test: pl.DataFrame, rounds: Sequence[int], config: KindsResultConfig
) -> tuple[pl.DataFrame, Cost]:
    """A row a kind (and ALL and RIGHT), model and version: errors; found, the share of them that the model detects
    (recall); rank, the AUC against what is right, which needs no threshold."""
    folders = [task.inputs[f"{model}_{k:02d}"] for model in ("prm", "orm") for k in rounds]
    scorer = load_scorers(folders, task.inputs["generator"])
    questions = dict(test.select("problem_id", "question").iter_rows())
    texts = [config.prompt.render(questions[p]) for p in pool["problem_id"]]
    read, cost = scorer.score_all(
        scorer.tokenizer(texts)["input_ids"], pool["token_ids"].to_list(), task.progress
    )
    rows = []
    for i, k in enumerate(rounds):
        # The threshold that the round's own evaluation chose, on other solutions than these.
        threshold = json.loads((task.inputs[f"eval_{k:02d}"] / "figures.json").read_text())["step_threshold"]
        steps = [right_probabilities(classes) for classes in read[i]]
        rows += _of_prm(pool, steps, threshold, k)
        # An ORM is read at the last step; a solution without any step is not accepted.
        outcomes = np.array([classes[-1, 1] if len(classes) else 0.0 for classes in read[len(rounds) + i]])
        rows += _of_orm(pool, outcomes, k)
    return pl.DataFrame(rows), cost


def _of_prm(pool: pl.DataFrame, steps: Sequence[Floats], threshold: float, k: int) -> list[dict[str, Any]]:
    """Detected: P(right) of the first wrong step is below the threshold. Rank: against all steps before first errors
    and in solutions without one."""
    wrong_at = pool["wrong_step"].to_list()
    pairs = list(zip(steps, wrong_at, strict=True))
    right = np.concatenate([p[:w] for p, w in pairs])
    # A wrong step that the PRM did not read, in a solution that was cut off, counts as not detected.
    scores = np.array([np.nan if w is None else p[w] if w < len(p) else 1.0 for p, w in pairs])
    return _rows(pool, PRM, k, scores, right, threshold)


def _of_orm(pool: pl.DataFrame, outcomes: Floats, k: int) -> list[dict[str, Any]]:
    """Detected: P(correct) of the solution is below 1/2, of wrong answers only: a solution may correct its error, and
    then an ORM is right to accept it. Rank: against right answers."""
    wrong = (~pool["correct"] & pool["kind"].is_not_null()).to_numpy()
    scores = np.where(wrong, outcomes, np.nan)
    return _rows(pool, ORM, k, scores, outcomes[pool["correct"].to_numpy()], 0.5)


def _rows(
    pool: pl.DataFrame, model: str, k: int, scores: Floats, right: Floats, threshold: float
) -> list[dict[str, Any]]:
    """scores: [solutions], of the error, NaN in a solution without one. right: scores of what is right."""
    kinds = pool["kind"].to_numpy()

    def row(kind: str, errors: int, found: float | None, rank: float | None) -> dict[str, Any]:
        return {"kind": kind, "model": model, "version": k, "errors": errors, "found": found, "rank": rank}

    rows = [row(RIGHT, len(right), float((right < threshold).mean()) if len(right) else None, None)]
    for kind in (ALL, *KINDS):
        of_kind = scores[~np.isnan(scores) & ((kinds == kind) | (kind == ALL))]
        if not len(of_kind):
            rows.append(row(kind, 0, None, None))
            continue
        together = np.concatenate([right, of_kind])
        rank = area_under_curve(together, np.arange(len(together)) < len(right))
        rows.append(row(kind, len(of_kind), float((of_kind < threshold).mean()), rank))
    return rows


# How often each kind of error is made: by GPT*, by each baby-o1, and in the corpus of the base.

GENERATOR, LAST = "GPT*", "last baby-o1"

# The corpus words its questions in many ways; what all share is the expression.
_EXPRESSION = re.compile(r"[-+*\d ]*\d")


def expressions_of(problems: pl.DataFrame) -> dict[str, Expression]:
    """Problem id -> its expression, of the problems that are one."""
    expressions = {row["problem_id"]: expression_of(row) for row in problems.iter_rows(named=True)}
    return {problem: expression for problem, expression in expressions.items() if expression is not None}


def with_kinds(solutions: pl.DataFrame, expressions: dict[str, Expression]) -> pl.DataFrame:
    """With wrong_step and kind of each solution's first wrong step, null where there is none; solutions of problems
    without an expression are left out."""
    solutions = solutions.filter(pl.col("problem_id").is_in(list(expressions)))
    errors = [
        first_wrong(expressions[problem], steps)
        for problem, steps in solutions.select("problem_id", "steps").iter_rows()
    ]
    return solutions.with_columns(
        pl.Series("wrong_step", [error and error[0] for error in errors], dtype=pl.Int32),
        pl.Series("kind", [error and error[1] for error in errors], dtype=pl.String),
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
    # Both authors often write the same solution: it would count twice.
    together = pl.concat(parts).unique(["problem_id", "text"], keep="first", maintain_order=True)
    return with_kinds(together.sort("problem_id", "text"), expressions)


def how_often(
    task: Task, rounds: Sequence[int], expressions: dict[str, Expression], config: KindsResultConfig
) -> dict[str, dict[str, float]]:
    """GPT* and v0, v1, .. -> first errors of each kind in a thousand solutions, on the rounds' problems."""
    evals = {f"v{k}": first_samples(task.inputs[f"eval_{k:02d}"], config.samples) for k in rounds}
    # GPT* is evaluated on more problems than the rounds are.
    problems = evals[f"v{rounds[0]}"]["problem_id"].unique().to_list()
    evals = {GENERATOR: first_samples(task.inputs["generator_eval"], config.samples, problems), **evals}
    return {
        name: _a_thousand(with_kinds(table, expressions)["kind"].to_list()) for name, table in evals.items()
    }


def _a_thousand(kinds: Sequence[str | None]) -> dict[str, float]:
    counts = Counter(kind for kind in kinds if kind is not None)
    return {kind: 1000 * count / len(kinds) for kind, count in counts.items()}


def in_corpus(config: KindsResultConfig, seed: int) -> dict[str, float]:
    """First errors of each kind in a thousand solutions of the corpus that the base was pre-trained on.

    curriculum 0: only problems of full length, as the held-out ones are.
    """
    drawn = config.corpus.model_copy(update={"solutions": config.corpus_solutions, "curriculum": 0.0})
    kinds: list[str | None] = []
    for question, steps in draw_corpus(drawn, seed, ()):
        match = _EXPRESSION.search(question)
        assert match is not None, question
        error = first_wrong(Expression.parse(match[0].strip()), steps)
        kinds.append(None if error is None else error[1])
    return _a_thousand(kinds)
