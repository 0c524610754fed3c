"""Budget forcing (s1, arXiv:2501.19393, section 3.1) on single chains of thought.

Too long: at the limit the thought is cut off, and the answer is asked for (forced) or there is none. Too short:
the answer is taken away and "wait" put in its place, once or several times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from o1_assets.core.artifact import Task
from o1_assets.evaluation.thinking.measure import UNLIMITED, Measured, measured
from o1_assets.evaluation.thinking.points import Point, mean_and_error, single_point
from o1_assets.evaluation.thinking.solver import Solver
from o1_assets.search.chain import Chain
from o1_assets.search.interface import Found

WAIT = "wait "


CUT, FORCED, EXTENDED = "chain, cut off", "chain, answer forced", "chain, extended"


def measure_limits(task: Task, solver: Solver) -> Measured:
    """Chains with each of the configured limits, cut off and forced: the same chains in both."""
    points = []
    for limit in solver.config.limits:
        task.progress(f"{solver.name}: chains of at most {limit} tokens")
        tries = solver.think(Chain(), UNLIMITED, "limit", tries=solver.config.chains, longest=limit)
        for name, forced in ((CUT, False), (FORCED, True)):
            right = [
                [
                    solver.right(i, one.answer) and (forced or not one.answer.forced)
                    for i, one in enumerate(found)
                ]
                for found in tries
            ]
            points.append(single_point(name, limit, right, tries, asked=forced))
    return measured(solver, points)


def measure_extension(task: Task, solver: Solver) -> tuple[Measured, list[dict[str, Any]]]:
    """Chains that are made to doubt 1, 2, 4, ... times, and what became of their first answers.

    All are the same chains, read after so many waits; one that could not be extended so often keeps its last answer.
    Rows: waits, and with their standard errors accuracy, and as shares of all chains extended (so often),
    wrong_to_right and right_to_wrong (against the first answer).
    """
    waits = solver.config.waits
    task.progress(f"{solver.name}: chains extended {max(waits)} times")
    tries = solver.think(Chain(WAIT, max(waits)), UNLIMITED, "extend", tries=solver.config.chains)
    first, _ = _after(solver, tries, 0)
    points, rows = [], []
    for times in (0, *waits):
        right, tokens = _after(solver, tries, times)
        extended = np.array([[len(one.tree.ends) > times for one in found] for found in tries])
        points.append(Point(EXTENDED, times, right.mean(0), tokens.mean(0), np.zeros(len(solver.problems))))
        rows.append(
            {
                "waits": times,
                "tokens": float(tokens.mean()),
                **mean_and_error("accuracy", right.mean(0)),
                **mean_and_error("extended", extended.mean(0)),
                **mean_and_error("wrong_to_right", (right & ~first).mean(0)),
                **mean_and_error("right_to_wrong", (first & ~right).mean(0)),
            }
        )
    return measured(solver, points), rows


def _after(
    solver: Solver, tries: list[list[Found]], waits: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each chain's answer after so many waits is right, and its tokens until then; both [tries, problems]."""
    right = np.zeros((len(tries), len(solver.problems)), dtype=bool)
    tokens = np.zeros(right.shape)
    for t, found in enumerate(tries):
        for i, one in enumerate(found):
            ends = one.tree.ends[: waits + 1]
            right[t, i] = solver.right(i, Chain().choose(ends))
            tokens[t, i] = ends[waits].tokens if len(ends) > waits else one.tree.tokens_generated
    return right, tokens
