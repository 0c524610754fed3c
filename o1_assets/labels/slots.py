"""A completion of a selection as one number: tables of millions of ratings are joined and sorted by it.

The numbers are in the order of solution id, step and completion.
"""

from __future__ import annotations

import polars as pl

_STEP_BITS = _COMPLETION_BITS = 18
SOLUTION = pl.col("slot") // 2 ** (_STEP_BITS + _COMPLETION_BITS)
STEP = pl.col("slot") // 2**_COMPLETION_BITS % 2**_STEP_BITS
COMPLETION = pl.col("slot") % 2**_COMPLETION_BITS
OWN = COMPLETION == 0
BEFORE = SOLUTION * 2**_STEP_BITS + STEP
"""Solution and step together."""


def numbered(solution_ids: pl.Series) -> pl.DataFrame:
    """Columns solution_id and solution (its number, in the order of the ids); solution_ids may repeat."""
    return pl.DataFrame({"solution_id": solution_ids.unique().sort()}).with_row_index("solution")


def with_slot(table: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Adds `slot` to a table with solution_id, step and completion; rows of other solutions are left out."""
    solution = pl.col("solution").cast(pl.Int64)
    return (
        table.join(numbers, on="solution_id", how="inner", maintain_order="left")
        .with_columns(
            slot=(solution * 2**_STEP_BITS + pl.col("step")) * 2**_COMPLETION_BITS + pl.col("completion")
        )
        .drop("solution")
    )
