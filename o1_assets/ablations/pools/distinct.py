"""Equal solutions of a problem, found once: what is scored need not be scored again."""

from __future__ import annotations

import polars as pl


def distinct(solutions: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """The first row of each problem's equal token sequences, and for every row the index of its own among them.

    What is computed on the first, `values`, is for all rows `[values[i] for i in index]`.
    """
    place: dict[tuple[str, tuple[int, ...]], int] = {}
    first, index = [], []
    for row, (problem, tokens) in enumerate(solutions.select("problem_id", "token_ids").iter_rows()):
        key = (problem, tuple(tokens))
        if key not in place:
            place[key] = len(first)
            first.append(row)
        index.append(place[key])
    return solutions[first], index
