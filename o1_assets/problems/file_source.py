"""Problems of a .jsonl or .parquet file with the columns `question` and `answer`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o1_assets.problems.canonical import canonical, flat_expression
from o1_assets.problems.problem import ProblemError, RawProblem, in_seeded_order


@dataclass(frozen=True)
class Row:
    """One row. where: for messages, such as "problems.jsonl, line 7"."""

    where: str
    values: dict[str, Any]

    def text(self, name: str) -> str:
        """A text, or a number as text. Raises ProblemError where it is absent, empty or anything else."""
        value = self.values.get(name)
        # An answer is often written as a number; true is an int to Python and no answer.
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if value is None:
            raise ProblemError(
                f"{self.where}: there is no {name!r}; every row needs a question and an answer."
            )
        if not isinstance(value, str):
            raise ProblemError(f"{self.where}: {name!r} is a {type(value).__name__}; write it as text.")
        if not value.strip():
            raise ProblemError(f"{self.where}: {name!r} is empty; fill it in or remove the row.")
        return value.strip()


def read_rows(file: Path) -> Iterator[Row]:
    """Rows of a .jsonl or .parquet file. Raises ProblemError naming file, line and remedy."""
    if not file.is_file():
        raise ProblemError(f"{file} does not exist; give the path of a .jsonl or .parquet file.")
    if file.suffix == ".jsonl":
        return _jsonl(file)
    if file.suffix == ".parquet":
        return _parquet(file)
    raise ProblemError(f"{file} is neither .jsonl nor .parquet; convert it to one of them.")


def _jsonl(file: Path) -> Iterator[Row]:
    # As bytes: one line that is not UTF-8 is then an error of that line.
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{file}, line {number}"
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:  # json gives up on deep nesting with the latter
                reason = getattr(error, "msg", None) or getattr(error, "reason", None) or "nested too deeply"
                raise ProblemError(
                    f"{where}: not JSON ({reason}); write one JSON object a line, in UTF-8."
                ) from error
            if not isinstance(values, dict):
                raise ProblemError(
                    f"{where}: a JSON {type(values).__name__}, not an object; write one object a line."
                )
            yield Row(where, values)


def _parquet(file: Path) -> Iterator[Row]:
    import polars as pl

    from o1_assets.core.tables import read_parquet

    try:
        table = read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ProblemError(f"{file} could not be read as Parquet ({reason}); write it again.") from error
    for number, values in enumerate(table.iter_rows(named=True), 1):
        yield Row(f"{file}, row {number}", values)


class FileProblems:
    endless = False

    def __init__(self, file: Path) -> None:
        self.file = file

    def problems(self, seed: int) -> Iterator[RawProblem]:
        problems = in_seeded_order((_problem(row, self.file.stem) for row in read_rows(self.file)), seed)
        if not problems:
            raise ProblemError(f"{self.file} holds no problems; add rows with a question and an answer.")
        yield from problems


def _problem(row: Row, source: str) -> RawProblem:
    question, answer = row.text("question"), row.text("answer")
    content = canonical(question)
    expression = flat_expression(content)
    difficulty = row.values.get("difficulty", len(expression.numbers) if expression else 0)
    if not isinstance(difficulty, int) or isinstance(difficulty, bool):
        raise ProblemError(
            f"{row.where}: difficulty {difficulty!r} is not an integer; write one or leave it out."
        )
    return RawProblem(
        question=question,
        answer=answer,
        canonical=content,
        grader="math",
        difficulty=difficulty,
        source=f"file/{source}",
        metadata={k: v for k, v in row.values.items() if k not in {"question", "answer", "difficulty"}},
    )
