"""Accuracy against batches, which is what a time-out counts."""

from __future__ import annotations

import pytest

from o1_assets.evaluation.thinking.paced import measure_batches
from o1_assets.search.strategies import STRATEGIES
from tests.evaluation.thinking.test_limits import task
from tests.evaluation.thinking.toy_solver import toy_solver
from tests.search.test_search import RIGHT
from tests.search.test_strategies import FORCED as ASKED


def test_what_a_time_out_would_have_answered_after_each_number_of_batches() -> None:
    config = {"timed": ("beam", "weighted"), "timed_problems": 2, "tree_tokens": 400}
    solver = toy_solver(ASKED, RIGHT, problems=8, **config)
    rows, seconds = measure_batches(task(), solver)
    beam = {row["batches"]: row for row in rows if row["strategy"] == "beam"}
    assert beam[1]["asked"] == 1.0, "two steps come before the first answer"
    assert beam[1]["accuracy"] == 1.0, (
        "after the step that the PRM believes the answer that is asked for is right"
    )
    assert beam[8]["accuracy"] > 0.8 and beam[8]["asked"] == 0.0
    assert [row["generated"] for row in beam.values()] == sorted(row["generated"] for row in beam.values())
    # The last row is the whole search.
    [whole] = solver.think(STRATEGIES["beam"].strategy, 400, "timed", "beam")
    right = [solver.right(i, found.answer) for i, found in enumerate(whole)]
    assert list(beam.values())[-1]["accuracy"] == pytest.approx(sum(right) / 8)
    assert next(row for row in rows if row["strategy"] == "weighted")["asked"] == 0.0
    assert seconds["seconds beam 8"] > seconds["seconds beam 1"] > 0 and "seconds weighted 1" in seconds
