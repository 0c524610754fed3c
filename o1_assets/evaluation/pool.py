"""M sampled solutions for each of P problems as arrays: what every curve and rate here is computed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

NO_ANSWER = -1


@dataclass(frozen=True)
class Pool:
    """P problems with M samples each, in the order of problem_ids.

    correct: bool [P, M]. answers: int [P, M], equal numbers are equal answers within a problem, NO_ANSWER
    where none could be read. scores: selector name -> float [P, M], higher is better; a solution that was
    not scored stands at -inf, so that it is chosen last.
    """

    problem_ids: tuple[str, ...]
    correct: NDArray[np.bool_]
    answers: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.correct.shape
        if len(shape) != 2 or shape[0] != len(self.problem_ids):
            raise ValueError(f"correct has shape {shape}, wanted [{len(self.problem_ids)} problems, samples]")
        for name, values in {"answers": self.answers, **self.scores}.items():
            if values.shape != shape:
                raise ValueError(f"{name} has shape {values.shape}, correct has {shape}")
            if np.isnan(values).any():
                raise ValueError(f"{name} has values that are not a number")

    @property
    def samples(self) -> int:
        return int(self.correct.shape[1])

    @classmethod
    def from_frame(cls, solutions: pl.DataFrame, scores: Sequence[str] = ()) -> Pool:
        """From a solutions table with a column for each name in `scores`.

        Raises ValueError when problems have different numbers of samples: a curve over them would compare
        subsets of different pools.
        """
        counts = solutions.group_by("problem_id").len()["len"].unique().to_list()
        if len(counts) != 1:
            raise ValueError(f"every problem needs the same number of samples, found {sorted(counts)}")
        table = solutions.sort("problem_id", "sample").with_columns(
            code=(pl.col("answer").rank("dense").over("problem_id").cast(pl.Int64) - 1).fill_null(NO_ANSWER)
        )
        shape = (table["problem_id"].n_unique(), counts[0])
        return cls(
            tuple(table["problem_id"].unique(maintain_order=True)),
            table["correct"].to_numpy().reshape(shape),
            table["code"].to_numpy().reshape(shape),
            {name: _scores(table[name]).reshape(shape) for name in scores},
        )


def _scores(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_nan(None).fill_null(float("-inf")).to_numpy()
