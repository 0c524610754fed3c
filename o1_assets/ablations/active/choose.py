"""Which solutions of the pool are labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.ablations.active.config import Strategy
from o1_assets.rounds.choose import choose_convincing

SAME = ("problem_id", "text")
"""What makes two samples one solution: nobody labels it twice."""


def doubt(p_right: NDArray[np.float64] | Sequence[float]) -> float:
    """How unsure a PRM is of a solution: 1 minus the confidence max(p, 1 - p) in its least certain step, from 0 (sure)
    to 0.5.

    The aleatoric uncertainty of ActPRM (arXiv:2504.10559): only steps up to the first predicted error count,
    because a label goes no further. There everything less confident than a threshold is labelled; here the number of
    labels is given, so the least confident come first. Their second measure, disagreement within an ensemble of
    heads, is left out. A solution without any step is not worth a label: 0.
    """
    p = np.asarray(p_right, dtype=np.float64)
    wrong = np.flatnonzero(p < 0.5)
    read = p[: wrong[0] + 1] if len(wrong) else p
    return float(1 - np.maximum(read, 1 - read).min()) if len(read) else 0.0


def draw(samples: pl.DataFrame, per_problem: int, seed: int) -> pl.DataFrame:
    """Samples in random order, each solution once, at most `per_problem` of a problem: a longer draw contains the
    shorter. What the policy writes often is drawn early, as in the paper, where no two samples are equal."""
    shuffled = samples.sort("problem_id", "sample").sample(fraction=1.0, shuffle=True, seed=seed)
    return shuffled.unique(SAME, keep="first", maintain_order=True).filter(
        pl.int_range(pl.len()).over("problem_id") < per_problem
    )


def choose(
    strategy: Strategy,
    samples: pl.DataFrame,
    scores: pl.DataFrame,
    n: int,
    per_problem: int,
    wrong_share: float,
    seed: int,
) -> pl.DataFrame:
    """n rows of samples. scores: solution_id, score and doubt by the selector, of each different solution.

    uniform: `draw`. convincing_wrong: `rounds.choose.choose_convincing`. uncertain: the highest doubt. Raises
    ValueError if there are not as many.
    """
    if strategy == "uniform":
        chosen = draw(samples, per_problem, seed).head(n)
    else:
        pool = samples.join(scores, on="solution_id", how="inner", maintain_order="left")
        if strategy == "convincing_wrong":
            chosen = choose_convincing(pool, n, per_problem, wrong_share)
        else:
            ranked = pool.sort(["doubt", "solution_id"], descending=[True, False])
            chosen = ranked.filter(pl.int_range(pl.len()).over("problem_id") < per_problem).head(n)
    if chosen.height < n:
        raise ValueError(
            f"the pool has {chosen.height} solutions to choose from, not {n}; set ablations.active.sizes lower, or "
            "per_problem, pool_problems or pool_samples higher"
        )
    return chosen
