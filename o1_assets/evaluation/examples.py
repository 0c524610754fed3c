"""Three solutions a newcomer can read: one right, one that fooled the first PRM, one that corrects itself."""

from __future__ import annotations

from typing import Any

import polars as pl

TITLES = {
    "right": "Right from start to end",
    "caught": "A convincing wrong answer, caught: PRM v{first} believes it, PRM v{newest} does not",
    "convincing": "A convincing wrong answer: it fools PRM v{newest}",
    "corrected": "It notices its own mistake",
}


def choose(
    pool: pl.DataFrame, problems: pl.DataFrame, first: int, newest: int, word: str, longest: int
) -> list[dict[str, Any]]:
    """As the report shows them; kinds that do not occur are left out.

    pool: one row a solution, with solution_id, problem_id, steps, ratings (list, null where not rated),
    answer, correct, and for PRM v{k}: score_k and p_right_k (list). Ties are broken by solution_id.
    """
    old, new = f"score_{first}", f"score_{newest}"
    readable = pool.filter(pl.col("steps").list.len().is_between(3, longest)).sort("solution_id")
    has_wait = pl.col("steps").list.eval(pl.element().str.starts_with(word + " ")).list.any()
    positive = pl.col("ratings").list.eval(pl.element() >= 0).list.all()
    fixed = pl.Series(
        "fixed", [_is_fixed(row, word) for row in readable.iter_rows(named=True)], dtype=pl.Boolean
    )
    readable = readable.with_columns(fixed)
    right = readable.filter(pl.col("correct") & positive & ~has_wait)
    wrong = readable.filter(~pl.col("correct") & ~has_wait)
    corrected = readable.filter(pl.col("correct") & pl.col("fixed"))
    median = {name: pool.filter("correct")[name].median() for name in (old, new)}
    caught = wrong.filter((pl.col(old) > median[old]) & (pl.col(new) < median[new]))
    chosen = [("right", right.sort(pl.col("steps").list.len() * -1, new, descending=[False, True]).head(1))]
    if caught.height and first != newest:
        chosen.append(("caught", caught.sort(pl.col(old) - pl.col(new), descending=True).head(1)))
    else:
        chosen.append(("convincing", wrong.sort(new, descending=True).head(1)))
    chosen.append(("corrected", corrected.sort(new, descending=True).head(1)))
    by_id = {row["problem_id"]: row for row in problems.iter_rows(named=True)}
    return [
        _shown(kind, row, by_id[row["problem_id"]], first, newest)
        for kind, found in chosen
        for row in found.iter_rows(named=True)
    ]


def _is_fixed(row: dict[str, Any], word: str) -> bool:
    """Whether some wrong step is repaired by the correction right after it."""
    ratings = row["ratings"]
    return any(
        text.startswith(word + " ") and ratings[i] == 1 and i > 0 and ratings[i - 1] == -1
        for i, text in enumerate(row["steps"])
    )


def _shown(
    kind: str, row: dict[str, Any], problem: dict[str, Any], first: int, newest: int
) -> dict[str, Any]:
    steps = zip(row["steps"], row["ratings"], row[f"p_right_{newest}"], row[f"p_right_{first}"], strict=True)
    return {
        "kind": kind,
        "title": TITLES[kind].format(first=first, newest=newest),
        "question": problem["question"],
        "truth": problem["answer"],
        "answer": row["answer"],
        "correct": row["correct"],
        "first": first,
        "newest": newest,
        "first_score": row[f"score_{first}"],
        "newest_score": row[f"score_{newest}"],
        "steps": [
            {"text": text, "rating": rating, "newest": new, "first": old} for text, rating, new, old in steps
        ],
    }
