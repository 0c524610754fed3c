"""The peer of the ingest of labels has to refuse what ours refuses, or it would be compared for less work."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.labelled_set import ROUND, records, solution
from benchmarks.pandas_labels import Exported, accepted, merged

NUMBER = next(n for n in range(50) if len(solution(n)[2]) > len(solution(n)[3]))
"""A solution that goes on behind its first wrong step."""


def exported() -> Exported:
    name, problem, steps, _ = solution(NUMBER)
    return Exported(ROUND, {name: steps}, {name: f"Question {problem}?"})


def record() -> dict[str, Any]:
    (made,) = records(range(NUMBER, NUMBER + 1), "labeler")
    return json.loads(json.dumps(made))


def spoil(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        part: Any = made
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = to

    return change


@pytest.mark.parametrize(
    "change",
    [
        spoil("labeler", to=" ann"),
        spoil("timestamp", to="9999-01-01"),
        spoil("o1", "round", to="r02"),
        spoil("o1", "solution_id", to="another"),
        spoil("question", "problem", to="Another?"),
        spoil("label", "steps", 0, "completions", 0, "text", to="another"),
        spoil("label", "steps", 0, "completions", 0, "rating", to=2),
        spoil("label", "steps", 0, "chosen_completion", to=1),
        spoil("label", "steps", -1, "completions", 0, "rating", to=1),
        spoil("label", "finish_reason", to="bored"),
    ],
)
def test_a_spoilt_line_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    good, bad = record(), record()
    change(bad)
    rows, numbers = accepted(exported(), [json.dumps(made).encode() for made in (good, bad)])
    assert numbers == [0] and rows
    assert not accepted(
        exported(), [b"{", json.dumps(good).encode().replace(b'{"labeler"', b'{"labeler": "a", "labeler"')]
    )[1]


def test_the_newest_rating_and_the_majority_count() -> None:
    from datetime import datetime

    def row(labeler: str, day: int, rating: int | None, step: int = 0) -> Any:
        return "s", step, 0, labeler, datetime(2026, 1, day), rating, False

    votes = [row("a", 1, -1), row("a", 2, 1), row("b", 1, 1), row("c", 1, -1), row("a", 1, 1, step=1)]
    assert merged(votes)[["step", "rating"]].to_numpy().tolist() == [[0, 1], [1, 1]]
    tied = [row("a", 1, 1), row("b", 1, -1), row("a", 1, 1, step=1)]
    assert merged(tied).empty
