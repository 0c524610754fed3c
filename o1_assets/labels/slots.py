"""A completion of a selection as one number: tables of millions of ratings are joined and sorted by it.

The numbers are in the order of solution id, step and completion.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

_STEP_BITS = _COMPLETION_BITS = 18
SOLUTION = pl.col("slot") // 2 ** (_STEP_BITS + _COMPLETION_BITS)
STEP = pl.col("slot") // 2**_COMPLETION_BITS % 2**_STEP_BITS
COMPLETION = pl.col("slot") % 2**_COMPLETION_BITS
_SLOT = (pl.col("solution") * 2**_STEP_BITS + pl.col("step")) * 2**_COMPLETION_BITS + pl.col("completion")


def solution_starts(table: pl.DataFrame) -> NDArray[np.int64]:
    """The rows at which another solution begins than in the row before."""
    changes = table.select(pl.col("solution_id").ne_missing(pl.col("solution_id").shift()))
    starts = changes.to_series().to_numpy().copy()
    starts[:1] = True
    return np.flatnonzero(starts)


def number_solutions(solution_ids: pl.Series) -> pl.DataFrame:
    """Columns solution_id and solution, its number in the order of the ids; solution_ids are distinct."""
    return pl.DataFrame({"solution_id": solution_ids.sort()}).with_row_index("solution")


def with_slot(table: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Adds `slot` to a table with solution_id, step and completion; rows of other solutions are left out.

    Rows of one solution mostly stand together: a run of them is looked up once.
    """
    starts = solution_starts(table)
    found = table.select(pl.col("solution_id").gather(starts)).join(
        numbers, on="solution_id", how="left", maintain_order="left"
    )
    number = found["solution"].cast(pl.Int64).fill_null(-1).to_numpy()
    repeated = np.repeat(number, np.diff(np.append(starts, table.height)))
    return (
        table.with_columns(solution=pl.Series(repeated, dtype=pl.Int64))
        .filter(pl.col("solution") >= 0)
        .with_columns(slot=_SLOT)
        .drop("solution")
    )
