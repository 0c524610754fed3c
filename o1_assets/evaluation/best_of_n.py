"""Accuracy against the number of samples N: best of N, majority, reward-weighted majority, pass@N; and the fooled rate.

As in Lightman et al. 2023, section 2.6 and figure 3: M solutions a problem are sampled once, then for each N
many random subsets of them are drawn without replacement. A prefix of the list would be one subset, and one
subset has no spread. A random permutation of a problem's samples gives a random subset of every size, its
first N; all selectors see the same subsets, so that they can be compared in pairs. Ties are broken at random:
the first of equal scores in a random permutation is a random one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.evaluation.statistics import Paired, paired

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NO_ANSWER = -1
MAJORITY = "majority"
PASS = "pass"

# Prefix of a selector's name for majority weighted by its score, which then has to be non-negative.
WEIGHTED = "weighted:"


@dataclass(frozen=True)
class Pool:
    """P problems with M samples each, in the order of problem_ids: what every curve and rate here is computed on.

    correct: bool [P, M]. answers: int [P, M], equal numbers are equal answers within a problem, NO_ANSWER
    where none could be read. scores: selector name -> float [P, M], higher is better; a solution that was
    not scored stands at -inf, so that it is chosen last. Raises ValueError for other shapes, or NaN.
    """

    problem_ids: tuple[str, ...]
    correct: Bools
    answers: Ints
    scores: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.correct.shape
        if len(shape) != 2 or shape[0] != len(self.problem_ids):
            raise ValueError(f"correct has shape {shape}, wanted [{len(self.problem_ids)} problems, samples]")
        for name, values in {"answers": self.answers, **self.scores}.items():
            if values.shape != shape:
                raise ValueError(f"{name} has shape {values.shape}, correct has {shape}")
            # argmax would choose a NaN, as if it were the best score of all.
            if np.isnan(values).any():
                raise ValueError(f"{name} has values that are not a number")

    @property
    def samples(self) -> int:
        return int(self.correct.shape[1])

    @classmethod
    def from_frame(cls, solutions: pl.DataFrame, scores: Sequence[str] = ()) -> Pool:
        """From a solutions table with a column for each name in `scores`.

        A solution without an answer is chosen last, however good its steps are: who asks wants an answer, and needs no
        key to see that there is none. A search does the same.

        Raises ValueError when problems have different numbers of samples: a curve over them would compare
        subsets of different pools.
        """
        counts = solutions.group_by("problem_id").len()["len"].unique().to_list()
        if len(counts) != 1:
            raise ValueError(f"every problem needs the same number of samples, found {sorted(counts)}")
        table = solutions.sort("problem_id", "sample").with_columns(
            code=(pl.col("answer").rank("dense").over("problem_id").cast(pl.Int64) - 1).fill_null(NO_ANSWER)
        )
        # Sorted rows, one after another, are the rows of [P, M].
        shape = (table["problem_id"].n_unique(), counts[0])
        return cls(
            tuple(table["problem_id"].unique(maintain_order=True)),
            table["correct"].to_numpy().reshape(shape),
            table["code"].to_numpy().reshape(shape),
            {
                name: table.select(
                    pl.when(pl.col("answer").is_not_null())
                    .then(pl.col(name).cast(pl.Float64).fill_nan(None))
                    .fill_null(float("-inf"))
                )
                .to_series()
                .to_numpy()
                .reshape(shape)
                for name in scores
            },
        )


@dataclass(frozen=True)
class Curve:
    """Accuracy of one selector for each N.

    ns: [K]; mean, std: [K], over random subsets of the accuracy over problems (std is 0 where N is the whole
    pool and nothing is tied); per_problem: [K, P], mean over the subsets.
    """

    ns: tuple[int, ...]
    mean: Floats
    std: Floats
    per_problem: Floats

    def at(self, n: int) -> float:
        return float(self.mean[self.ns.index(n)])


def powers_of_two(largest: int) -> tuple[int, ...]:
    """1, 2, 4, ... up to `largest`."""
    return tuple(2**k for k in range(largest.bit_length()) if 2**k <= largest)


def curves(
    pool: Pool, selectors: Sequence[str], ns: Sequence[int], subsets: int, seed: int
) -> dict[str, Curve]:
    """One curve a selector, all on the same random subsets.

    selectors: names of pool.scores (best of N), MAJORITY, PASS, or WEIGHTED + the name of a score.
    Raises ValueError for an N above the samples there are, and KeyError for an unknown selector.
    """
    if min(ns) < 1 or max(ns) > pool.samples:
        raise ValueError(
            f"N from {min(ns)} to {max(ns)} cannot be drawn from {pool.samples} samples a problem"
        )
    problems = len(pool.problem_ids)
    right = {name: np.empty((len(ns), subsets, problems)) for name in selectors}  # [K, S, P]
    rng = np.random.default_rng(seed)
    samples = np.tile(np.arange(pool.samples), (subsets, 1))
    for p in range(problems):
        order = rng.permuted(samples, axis=1)  # [S, M], each row a random order
        for name in selectors:
            right[name][:, :, p] = _selector(pool, name, p)(order, ns, rng)
    return {name: _curve(tuple(ns), values) for name, values in right.items()}


def expected_best_of_n(scores: Floats, correct: Bools, n: int) -> float:
    """The exact mean of best of N over all subsets of one problem's samples; ties count by their share.

    Over subsets of size n of m samples, a sample with b below it and t tied with it (itself included)
    is among the top with probability [C(b + t, n) - C(b, n)] / C(m, n), shared by the t of its tie.
    """
    m, total = len(scores), 0.0
    for value in np.unique(scores):
        tied, below = scores == value, int((scores < value).sum())
        t = int(tied.sum())
        total += (comb(below + t, n) - comb(below, n)) / comb(m, n) * float(correct[tied].mean())
    return total


def pass_at_k(correct: Bools, k: int) -> float:
    """The chance that one of k of a problem's samples is right, over all subsets: the unbiased pass@k of Chen et al.
    2021 (arXiv:2107.03374, section 2.1). correct: [samples]."""
    return 1 - comb(int((~correct).sum()), k) / comb(len(correct), k)


def exact_curves(pool: Pool, score: str) -> dict[str, dict[int, Floats]]:
    """For `score` (best of N) and PASS: N -> the chance that the choice is right, [problems], over all subsets.

    N are powers of two up to the number of samples. No draw of subsets blurs a fall from one N to the next.
    """
    ns = powers_of_two(pool.samples)
    rows = list(zip(pool.scores[score], pool.correct, strict=True))
    return {
        score: {n: np.array([expected_best_of_n(scores, right, n) for scores, right in rows]) for n in ns},
        PASS: {n: np.array([pass_at_k(right, n) for right in pool.correct]) for n in ns},
    }


def largest_fall(curve: Mapping[int, Floats]) -> Paired:
    """By how much accuracy falls from the N where it is best to the worst larger one, on the same problems."""
    ns = sorted(curve)
    means = [curve[n].mean() for n in ns]
    _, best, worst = max((means[i] - means[j], i, j) for j in range(len(ns)) for i in range(j + 1))
    return paired(curve[ns[best]], curve[ns[worst]])


# order [S, M], ns [K], rng -> whether the choice is right, [K, S].
Selector = Callable[[Ints, Sequence[int], np.random.Generator], NDArray[np.generic]]


def _selector(pool: Pool, name: str, p: int) -> Selector:
    correct, answers = pool.correct[p], pool.answers[p]
    if name == PASS:
        return lambda order, ns, rng: np.stack([correct[order[:, :n]].any(1) for n in ns])
    if name == MAJORITY:
        return lambda order, ns, rng: _vote(order, ns, rng, correct, answers, np.ones(len(answers)))
    if name.startswith(WEIGHTED):
        weights = np.maximum(pool.scores[name.removeprefix(WEIGHTED)][p], 0.0)
        return lambda order, ns, rng: _vote(order, ns, rng, correct, answers, weights)
    scores = pool.scores[name][p]
    return lambda order, ns, rng: _best(order, ns, correct, scores)


def _best(order: Ints, ns: Sequence[int], correct: Bools, scores: Floats) -> Bools:
    in_order, rows = scores[order], np.arange(len(order))
    return np.stack([correct[order[rows, in_order[:, :n].argmax(1)]] for n in ns])


def _vote(
    order: Ints, ns: Sequence[int], rng: np.random.Generator, correct: Bools, answers: Ints, weights: Floats
) -> Bools:
    """Whether the answer with the most weight is right; samples without an answer have no vote."""
    choices = int(answers.max()) + 1
    if choices == 0:
        return np.zeros((len(ns), len(order)), dtype=bool)
    answer_right = np.zeros(choices, dtype=bool)
    answer_right[answers[correct & (answers != NO_ANSWER)]] = True
    # Votes without weight still stand before answers that nobody gave, and the noise decides ties only.
    votes = np.where(answers == NO_ANSWER, 0.0, weights + 1e-9)
    # [S, M]: row and answer as one number, because bincount counts one axis and is far faster than a loop.
    cell = np.arange(len(order))[:, None] * choices + np.maximum(answers, 0)[order]
    result = np.empty((len(ns), len(order)), dtype=bool)
    for k, n in enumerate(ns):
        tally = np.bincount(
            cell[:, :n].ravel(), weights=votes[order[:, :n]].ravel(), minlength=len(order) * choices
        ).reshape(len(order), choices)  # [S, answers]
        winner = (tally + rng.random(tally.shape) * 1e-10).argmax(1)
        result[k] = answer_right[winner] & (tally.max(1) > 0)
    return result


def _curve(ns: tuple[int, ...], right: Floats) -> Curve:
    """right: [K, S, P]."""
    accuracy = right.mean(2)
    return Curve(ns, accuracy.mean(1), accuracy.std(1), right.mean(1))


# The fooled rate: how often a score ranks a wrong answer above a right one.


def fooled_on_pool(scores: Floats, correct: Bools) -> float | None:
    """Share of wrong-answer solutions with a score above that of the median right-answer solution.

    scores, correct: [solutions] of one fixed pool. None when the pool has no right or no wrong solution.
    """
    if correct.all() or not correct.any():
        return None
    return float((scores[~correct] > np.median(scores[correct])).mean())


def fooled_under_best_of_n(
    pool: Pool, score: str, n: int = 16, subsets: int = 400, seed: int = 0
) -> float | None:
    """Of the random subsets of n with a right and a wrong solution in them: share whose top-scored is wrong.

    Subsets that are all right or all wrong leave no choice and would measure the policy. Ties for the top are
    broken at random. None when no subset is mixed.
    """
    rng = np.random.default_rng(seed)
    samples = np.tile(np.arange(pool.samples), (subsets, 1))
    mixed_subsets = fooled = 0
    for scores, correct in zip(pool.scores[score], pool.correct, strict=True):
        chosen = rng.permuted(samples, axis=1)[:, :n]  # [S, n]
        right = correct[chosen]
        mixed = right.any(1) & ~right.all(1)
        top = chosen[np.arange(subsets), scores[chosen].argmax(1)]
        mixed_subsets += int(mixed.sum())
        fooled += int((mixed & ~correct[top]).sum())
    return fooled / mixed_subsets if mixed_subsets else None
