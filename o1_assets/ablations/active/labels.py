"""The labels: the exact checker under the sparse protocol, to the first wrong step, without alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from o1_assets.labels.arithmetic_judge import expression_of, rate_steps
from o1_assets.reward.dataset import Example, step_sequence

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Problems = Mapping[str, Mapping[str, Any]]
"""problem_id -> its row."""


def problems_of(table: pl.DataFrame) -> Problems:
    """Raises ValueError where a problem cannot be rated by the exact checker."""
    rows = {row["problem_id"]: row for row in table.iter_rows(named=True)}
    unrated = next((name for name, row in rows.items() if expression_of(row) is None), None)
    if unrated is not None:
        raise ValueError(
            f"ablations/active needs problems with an exact checker, and {unrated} has none; "
            "use a source of arithmetic problems (problems.source) or leave this experiment out"
        )
    return rows


def sparse(problem: Mapping[str, Any], steps: list[str]) -> list[int]:
    """Ratings up to the first negative one (Lightman et al. 2023, section 2.4)."""
    ratings = rate_steps(problem, steps)
    return ratings[: ratings.index(-1) + 1] if -1 in ratings else ratings


def examples(
    chosen: pl.DataFrame, problems: Problems, tokenizer: PreTrainedTokenizerBase, template: str, round: int
) -> list[Example]:
    """One a chosen solution (problem_id, solution_id, steps), read no further than it is rated."""
    made = []
    for s in chosen.select("problem_id", "solution_id", "steps").iter_rows(named=True):
        problem = problems[s["problem_id"]]
        ratings = sparse(problem, s["steps"])
        if not ratings:
            continue
        prompt = template.replace("{question}", problem["question"])
        sequence = step_sequence(tokenizer, prompt, s["steps"][: len(ratings)])
        classes = tuple(rating + 1 for rating in ratings)
        made.append(Example(s["problem_id"], s["solution_id"], round, (sequence,), (classes,)))
    return made
