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


def number_solutions(
    completions: pl.DataFrame, starts: NDArray[np.int64]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Adds `slot` to a selection's completions and sorts them by it.

    Returns them, and the columns solution_id and solution (its number, in the order of the ids).
    starts: first row of each solution, whose rows are together.
    """
    numbers = pl.DataFrame({"solution_id": completions["solution_id"][starts]}).with_columns(
        solution=pl.col("solution_id").rank("ordinal").cast(pl.Int64) - 1
    )
    repeated = np.repeat(numbers["solution"].to_numpy(), np.diff(np.append(starts, completions.height)))
    slots = completions.with_columns(solution=pl.Series(repeated, dtype=pl.Int64)).with_columns(slot=_SLOT)
    return slots.drop("solution").sort("slot"), numbers


def with_slot(table: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Adds `slot` to a table with solution_id, step and completion; rows of other solutions are left out."""
    return table.join(numbers, on="solution_id", how="inner").with_columns(slot=_SLOT).drop("solution")
