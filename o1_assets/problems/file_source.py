"""Problems of a .jsonl or .parquet file with the columns `question` and `answer`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from o1_assets.problems.canonical import canonical, flat_expression
from o1_assets.problems.grading import grade
from o1_assets.problems.problem import LeftOut, RawProblem, in_seeded_order, printable
from o1_assets.problems.rows import Row, read_problems, read_rows

MARKER = "####"

# One number or two, with a unit or without. 1,234 is a thousand and more.
_COMMA = re.compile(
    r"(?:[-+\s$€£]|\\\$)*(?![1-9]\d{0,2},\d{3}(?!\d))(\d+),(\d+)(?:\s*[^\s\d,;()\[\]{}][^\d,;()\[\]{}]*)?"
)


class FileProblems:
    endless = False

    def __init__(self, file: Path) -> None:
        self.file = file

    def problems(self, seed: int) -> Iterator[RawProblem | LeftOut]:
        rows = read_rows(self.file)
        source = printable(self.file.stem)
        yield from in_seeded_order(read_problems(rows, lambda row: _problem(row, source), self.file), seed)


def _final(row: Row, name: str, text: str) -> tuple[str, str]:
    """What stands before and after the last "####", as GSM8K writes an answer after its solution; of an answer without
    it "" and the whole, of a solution the whole and ""."""
    worked, marker, final = text.rpartition(MARKER)
    if not marker:
        return ("", text) if name == "answer" else (text, "")
    if not final.strip():
        raise LeftOut(row.place, f"{name!r} ends in {MARKER} without an answer after it", "add the answer")
    return worked.strip(), final.strip()


def _problem(row: Row, source: str) -> RawProblem:
    question, (worked, answer) = row.text("question"), _final(row, "answer", row.text("answer", number=True))
    if pair := _COMMA.fullmatch(answer):
        whole, part = pair.groups()
        raise LeftOut(
            row.place,
            "a comma in its answer may be that of a decimal or of a list",
            f"write {whole}.{part} if it is one number, {whole}, {part} if it is two",
            f"answer {answer[:40]!r}",
        )
    metadata = row.others("question", "answer", "difficulty")
    if isinstance(metadata.get("solution"), str):
        # A profile writes the answer after a solution: left in both, it would be taught twice.
        metadata["solution"], stated = _final(row, "solution", metadata["solution"])
        if stated and not grade("math", stated, {"answer": answer, "metadata": "{}"}):
            shown = f"{stated[:40]!r}, and the answer is {answer[:40]!r}"
            raise LeftOut(row.place, "its solution ends in another answer", "correct one of the two", shown)
    elif worked:
        metadata["solution"] = worked
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
        metadata=metadata,
        place=row.place,
    )
