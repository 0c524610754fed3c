"""What eval/thinking of a finished run says, as `search_token_saving` and `test_time_r2` read it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl


Floats = NDArray[np.float64]


MISSING = (
    "{} has no eval/thinking; run `o1 run --with thinking` with this O1_HOME (or name another by --home)"
)


TREES = ("beam", "posterior-beam", "dvts", "mcts", "mcts, Q-value", "astar", "adaptive")


BEST_OF_N, N = "best-of-n", 64


def thinking_tables(*names: str) -> list[pl.DataFrame]:
    """Tables of eval/thinking of the run in O1_HOME. Raises SystemExit if it was not made."""
    import polars as pl

    from o1_assets.core.settings import Settings
    from o1_assets.store.store import ArtifactStore

    settings = Settings.load("nano")
    if not settings.home.is_dir():
        raise SystemExit(MISSING.format(settings.home))
    with tempfile.TemporaryDirectory(prefix="bench-thinking-") as work:
        store = ArtifactStore(settings.store, Path(work))
        head = store.head("eval/thinking")
        if head is None:
            raise SystemExit(MISSING.format(settings.home))
        folder = store.verified(head.digest)
        return [pl.read_parquet(folder / f"{name}.parquet") for name in names]


@dataclass(frozen=True)
class Curve:
    """A strategy at rising budgets: tokens generated a problem, [points], and accuracy, [points, draws]."""

    tokens: Floats
    accuracy: Floats


@dataclass(frozen=True)
class Saving:
    """times: tokens of best-of-64 over those of the best tree search at its accuracy; low, high: 95% interval."""

    times: float
    low: float
    high: float
    strategy: str


def drawn(rows: Sequence[Mapping[str, Any]], draws: int, seed: int) -> Floats:
    """Accuracy of points, [points, 1 + draws]: as measured, then as it might have been.

    With a column `right` (one value a problem) problems are drawn anew, the same for all points; without it the
    points vary independently by their standard errors, which makes intervals wider than they are.
    """
    rng = np.random.default_rng(seed)
    measured = np.array([row["accuracy"] for row in rows])
    if all(row.get("right") is not None and len(row["right"]) for row in rows):
        right = np.array([row["right"] for row in rows], dtype=np.float64)
        chosen = rng.integers(right.shape[1], size=(draws, right.shape[1]))
        anew = right[:, chosen].mean(2)
    else:
        error = np.array([row["accuracy_error"] if "accuracy_error" in row else row["error"] for row in rows])
        anew = measured[:, None] + error[:, None] * rng.standard_normal((len(rows), draws))
    return np.concatenate([measured[:, None], anew], axis=1)


def tokens_to_reach(curve: Curve, target: Floats) -> Floats:
    """Tokens at which each draw of the curve first has the accuracy of `target`, [draws]; infinite if it never has.

    Between two points accuracy is a straight line over log2 of the tokens.
    """
    found = np.full(len(target), np.inf)
    place = np.log2(curve.tokens)
    reached = curve.accuracy >= target
    for draw in np.flatnonzero(reached.any(0)):
        at = int(reached[:, draw].argmax())
        if at == 0:
            found[draw] = curve.tokens[0]
            continue
        low, high = curve.accuracy[at - 1, draw], curve.accuracy[at, draw]
        share = (target[draw] - low) / (high - low)
        found[draw] = 2 ** (place[at - 1] + share * (place[at] - place[at - 1]))
    return found


def saving(points: pl.DataFrame, model: str, draws: int = 1000, seed: int = 0) -> Saving | None:
    """points: eval/thinking's. None if no tree search reaches best-of-64, as measured."""
    import polars as pl

    table = points.filter((pl.col("model") == model) & (pl.col("difficulty") == "all"))
    rows = table.filter(
        pl.col("strategy").is_in(TREES) | ((pl.col("strategy") == BEST_OF_N) & (pl.col("budget") == N))
    )
    rows_of = rows.sort("strategy", "generated").to_dicts()
    accuracy = drawn(rows_of, draws, seed)
    names = np.array([row["strategy"] for row in rows_of])
    tokens = np.array([row["generated"] for row in rows_of], dtype=np.float64)
    if BEST_OF_N not in names:
        return None
    [mark] = np.flatnonzero(names == BEST_OF_N)
    strategies = [name for name in TREES if name in names]
    needed = np.stack(
        [
            tokens_to_reach(Curve(tokens[names == name], accuracy[names == name]), accuracy[mark])
            for name in strategies
        ]
    )
    times = tokens[mark] / needed.min(0)
    if times[0] == 0:
        return None
    low, high = np.quantile(times[1:], [0.025, 0.975])
    return Saving(float(times[0]), float(low), float(high), strategies[int(needed[:, 0].argmin())])
