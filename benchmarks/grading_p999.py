"""How long a caller waits for the verdict on one of 50,000 hostile answers, new workers included."""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.hostile_answers import hostile_answers
from benchmarks.registry import Figure

NAME = "grading_p999_seconds"

ANSWERS = 50_000


def compare() -> Mapping[str, Figure]:
    seconds = sorted((waited for waited, _, _ in waits(ANSWERS)), reverse=True)
    over = sum(waited > 1 for waited in seconds)
    middle = seconds[len(seconds) // 2] * 1e6
    against = f"at most 1 s; median {middle:.0f} us, longest {seconds[0]:.2f} s, {over} over 1 s"
    return {NAME: Figure(seconds[ANSWERS // 1_000], 0.0, "s", against)}


def waits(count: int, seed: int = 0) -> list[tuple[float, str, str]]:
    """(seconds on the wall clock, gold answer, hostile answer) of each, graded one after the other."""
    from o1_assets.problems.grading import grade

    for row, _ in hostile_answers(20, seed):  # starts what is started once
        grade(row["grader"], "1" + "+1" * 60, row)
    measured = []
    for row, answer in hostile_answers(count, seed):
        start = time.perf_counter()
        grade(row["grader"], answer, row)
        measured.append((time.perf_counter() - start, row["answer"], answer))
    return measured


def main() -> None:
    """Print the slowest, for whoever wants to make them faster: `python -m benchmarks.grading_p999`."""
    for waited, gold, answer in sorted(waits(ANSWERS), reverse=True)[:50]:
        print(f"{waited:7.3f} s  {gold!r:30}  {answer[:150]!r}")


if __name__ == "__main__":
    main()
