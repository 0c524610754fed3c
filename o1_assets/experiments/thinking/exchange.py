"""How much training thinking replaces: lines of equal accuracy over versions and chains a problem.

OpenAI showed both curves for o1 and left the rate between them open. Snell et al. (arXiv:2408.03314, section 7) compare
test-time with pre-training compute in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.statistics import Floats, Interval, bootstrap, interval_around


@dataclass(frozen=True)
class Surface:
    """Accuracy over training and thinking. training: FLOPs of each version, rising, [versions]. chains: a problem,
    rising from 1, [budgets]. right: [versions, budgets, problems]."""

    training: Floats
    chains: Floats
    right: Floats

    def accuracy(self) -> Floats:
        """[versions, budgets]."""
        return self.right.mean(2)

    def between(self, share: float) -> float:
        """An accuracy between that of the first and of the last version with one chain."""
        first, last = self.accuracy()[[0, -1], 0]
        return float(first + share * (last - first))

    def iso_line(self, accuracy: float) -> Floats:
        """log2 of the training FLOPs with which each number of chains reaches this accuracy, [budgets]; NaN where the
        first version is beyond it already, or none gets there."""
        return _iso_line(np.log2(self.training), self.accuracy(), accuracy)

    def exchange_rate(self, accuracy: float, resamples: int, seed: int) -> Interval | None:
        """How many doublings of training one doubling of the chains replaces on the line of this accuracy. None where
        the line has fewer than two points. The interval is over problems."""
        log_training, log_chains = np.log2(self.training), np.log2(self.chains)

        def rate(means: Floats) -> float:
            line = _iso_line(log_training, means, accuracy)
            known = ~np.isnan(line)
            return -float(np.polyfit(log_chains[known], line[known], 1)[0]) if known.sum() > 1 else np.nan

        drawn = bootstrap(lambda p: rate(self.right[:, :, p].mean(2)), self.right.shape[2:], resamples, seed)
        return interval_around(rate(self.accuracy()), drawn)


def _iso_line(log_training: Floats, means: Floats, accuracy: float) -> Floats:
    return np.array([_reaches(log_training, rising(column), accuracy) for column in means.T])


def _reaches(x: Floats, y: Floats, level: float) -> float:
    """Where y, which never falls, reaches the level between two points; NaN elsewhere."""
    if not y[0] < level <= y[-1]:
        return np.nan
    after = int(np.argmax(y >= level))
    share = (level - y[after - 1]) / (y[after] - y[after - 1])
    return float(x[after - 1] + share * (x[after] - x[after - 1]))


def rising(values: Floats) -> Floats:
    """The sequence that never falls and is nearest in squares: neighbours that fall are pooled (isotonic regression,
    Ayer et al. 1955, "An empirical distribution function for sampling with incomplete information")."""
    # Versions differ by the noise of their few problems, and a line of equal accuracy may cross a wave thrice.
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, size = value, 1
        while blocks and blocks[-1][0] >= mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    return np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])


def read_surface(evals: Mapping[str, Path], flops: Mapping[str, float], selector: str) -> Surface:
    """evals: version -> folder of its evaluation; flops: version -> what its training took.

    On the problems and the numbers of chains that all evaluations have.
    """
    ids = {name: _problems(folder) for name, folder in evals.items()}
    problems = sorted(set.intersection(*(set(of) for of in ids.values())))
    tables = {
        name: read_parquet(folder / "curves.parquet").filter(pl.col("selector") == selector)
        for name, folder in evals.items()
    }
    chains = sorted(set.intersection(*(set(table["n"]) for table in tables.values())))
    order = sorted(evals, key=lambda name: flops[name])
    right = []
    for name in order:
        at = np.searchsorted(ids[name], problems)
        table = tables[name]
        # [seeds, problems] of each N: seeds are averaged, problems are the unit.
        by_n = [np.array(table.filter(pl.col("n") == n)["per_problem"].to_list())[:, at] for n in chains]
        right.append([values.mean(0) for values in by_n])
    return Surface(np.array([flops[name] for name in order]), np.array(chains, float), np.array(right))


def _problems(folder: Path) -> list[str]:
    # In the order of `Pool.from_frame`, which the values of curves.parquet have.
    return sorted(read_parquet(folder / "solutions.parquet", columns=["problem_id"])["problem_id"].unique())
