"""How often the grader is wrong about the cases that tests/problems/grading_cases.tsv decides."""

from __future__ import annotations

import csv

from benchmarks.hostile_answers import CASES
from benchmarks.registry import Figure


def mistakes(equal: bool) -> tuple[list[str], int]:
    """The cases that are graded otherwise, of those that are equal or not; and how many those are."""
    from o1_assets.problems.grading import grade_all

    with CASES.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    rows = [row for row in rows if (row["equal"] == "1") == equal]
    problems = [{"grader": "math", "answer": row["gold"], "metadata": "{}"} for row in rows]
    verdicts = grade_all([(row["answer"], problem) for row, problem in zip(rows, problems, strict=True)])
    wrong = [row for row, verdict in zip(rows, verdicts, strict=True) if verdict != equal]
    return [f"{row['gold']} | {row['answer']}" for row in wrong], len(rows)


def share(equal: bool, against: str) -> Figure:
    wrong, of = mistakes(equal)
    for case in wrong:
        print(f"  {case}", flush=True)
    return Figure(len(wrong) / of, 0.0, "share", f"{against}; {len(wrong)} of {of}")
