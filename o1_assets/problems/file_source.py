"""Problems of a .jsonl or .parquet file with the columns `question` and `answer`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from o1_assets.problems.canonical import canonical, flat_expression
from o1_assets.problems.problem import LeftOut, RawProblem, in_seeded_order, printable
from o1_assets.problems.rows import Row, read_problems, read_rows


class FileProblems:
    endless = False

    def __init__(self, file: Path) -> None:
        self.file = file

    def problems(self, seed: int) -> Iterator[RawProblem | LeftOut]:
        rows = read_rows(self.file)
        source = printable(self.file.stem)
        yield from in_seeded_order(read_problems(rows, lambda row: _problem(row, source), self.file), seed)


def _problem(row: Row, source: str) -> RawProblem:
    question, answer = row.text("question"), row.text("answer", number=True)
    content = canonical(question)
    difficulty = row.count("difficulty")
    if difficulty is None:
        expression = flat_expression(content)
        difficulty = len(expression.numbers) if expression else 0
    return RawProblem(
        question=question,
        answer=answer,
        canonical=content,
        grader="math",
        difficulty=difficulty,
        source=f"file/{source}",
        metadata=row.others("question", "answer", "difficulty"),
        place=row.place,
    )
