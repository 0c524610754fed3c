"""A PRM on held-out problems: best of N, how often it is fooled, and whether it finds the first wrong step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.ablations.active.choose import SAME
from o1_assets.ablations.active.labels import Problems
from o1_assets.ablations.active.packed import Packed
from o1_assets.evaluation.best_of_n import expected_best_of_n, powers_of_two
from o1_assets.evaluation.fooled import fooled_on_pool
from o1_assets.evaluation.pool import Pool
from o1_assets.evaluation.step_f1 import NO_ERROR, cross_fitted_f1
from o1_assets.labels.arithmetic_judge import first_error
from o1_assets.reward.config import RewardModelConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.model import RewardModel


@dataclass(frozen=True)
class HeldOut:
    """pool: the held-out samples [P, M]. which[i]: the different solution that sample i, in the pool's order, is.

    rated: indices of the different solutions that step F1 is measured on, truth: their first wrong step.
    """

    pool: Pool
    packed: Packed
    which: NDArray[np.int64]
    rated: Sequence[int]
    truth: Sequence[int]
    groups: Sequence[str]

    @classmethod
    def of(
        cls,
        samples: pl.DataFrame,
        problems: Problems,
        tokenizer: PreTrainedTokenizerBase,
        generator: PreTrainedModel,
        config: RewardModelConfig,
        step_samples: int,
    ) -> HeldOut:
        """samples: a solutions table, equally many of each problem; step_samples: the first so many are rated."""
        ordered = samples.sort("problem_id", "sample")
        different = ordered.unique(SAME, keep="first", maintain_order=True).with_row_index("at")
        which = ordered.join(different.select(*SAME, "at"), on=SAME, how="left", maintain_order="left")["at"]
        questions: Mapping[str, str] = {name: str(row["question"]) for name, row in problems.items()}
        packed = Packed.of(different, questions, tokenizer, generator, config)
        early = which.filter(ordered["sample"] < step_samples).unique().sort()
        rated = different[early.to_list()].filter(pl.col("steps").list.len() > 0)
        truth = []
        for problem, steps in rated.select("problem_id", "steps").iter_rows():
            error = first_error(problems[problem], steps)
            truth.append(NO_ERROR if error is None else error)
        return cls(
            Pool.from_frame(ordered),
            packed,
            which.cast(pl.Int64).to_numpy(),
            rated["at"].to_list(),
            truth,
            rated["problem_id"].to_list(),
        )

    def judge(self, model: RewardModel) -> dict[str, Any]:
        """best_of_<N>: lists, a value a problem, exact over all subsets; fooled: the share of wrong solutions with a
        score above that of the median right one; step_f1."""
        found = self.packed.p_right(model)
        # Silence is not perfect: without a step a solution stands last.
        logs = np.array([np.log(np.maximum(p, 1e-300)).sum() if len(p) else -np.inf for p in found])
        scores = logs[self.which].reshape(self.pool.correct.shape)
        result: dict[str, Any] = {
            f"best_of_{n}": [
                expected_best_of_n(own, right, n)
                for own, right in zip(scores, self.pool.correct, strict=True)
            ]
            for n in sorted({*powers_of_two(self.pool.samples)[1:], self.pool.samples})
        }
        result["fooled"] = fooled_on_pool(scores.ravel(), self.pool.correct.ravel())
        result["step_f1"] = cross_fitted_f1([found[i] for i in self.rated], self.truth, self.groups)[0].f1
        return result
