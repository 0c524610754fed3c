"""MATH: competition problems, answers in \\boxed{} (Hendrycks et al. 2021, arXiv:2103.03874)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from o1_assets.core.prompt_format import BOXED, extract_answer
from o1_assets.problems.canonical import canonical
from o1_assets.problems.config import MathSource
from o1_assets.problems.file_source import Row, read_rows
from o1_assets.problems.problem import ProblemError, RawProblem, in_seeded_order

ALL, TEST = "EleutherAI/hendrycks_math", "HuggingFaceH4/MATH-500"


SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
    "precalculus",
)  # fmt: skip


class MathProblems:
    endless = False

    def __init__(self, config: MathSource) -> None:
        self.config = config

    def problems(self, seed: int) -> Iterator[RawProblem]:
        """The test problems come first: what all of MATH repeats of them is then a duplicate, not a train problem."""
        for split in ("test", "train"):
            rows = self._from_folder(split) if self.config.folder is not None else self._from_hub(split)
            yield from in_seeded_order((_problem(row, split) for row in rows), seed)

    def _from_folder(self, split: str) -> Iterator[Row]:
        return read_rows(Path(str(self.config.folder)) / f"{split}.jsonl")

    def _from_hub(self, split: str) -> Iterator[Row]:
        from datasets import load_dataset

        wanted: list[tuple[str, str | None, str, str]]
        if split == "test":
            wanted = [(TEST, None, "test", self.config.test_revision)]
        else:
            sides = ("train", "test")
            wanted = [(ALL, name, side, self.config.revision) for name in SUBJECTS for side in sides]
        for repo, name, side, revision in wanted:
            try:
                table = load_dataset(repo, name, split=side, revision=revision)
            except Exception as error:
                raise ProblemError(
                    f"{repo} could not be loaded from the Hub ({type(error).__name__}): check the network, or set "
                    "`folder` to one with train.jsonl and test.jsonl."
                ) from error
            for number, row in enumerate(table, 1):
                yield Row(f"{repo} {name or side}, row {number}", row)


def _problem(row: Row, split: str) -> RawProblem:
    """Difficulty is MATH's level, 1 to 5; 0 where it has none."""
    question, solution = row.text("problem"), row.text("solution")
    answer = row.values.get("answer") or extract_answer(solution, BOXED)
    if not answer:
        raise ProblemError(f"{row.where}: the solution has no \\boxed{{...}} with a final answer; add one.")
    level = re.search(r"[1-5]", str(row.values.get("level", "")))
    subject = row.values.get("subject") or row.values.get("type") or ""
    return RawProblem(
        question=question,
        answer=str(answer).strip(),
        canonical=canonical(question),
        grader="math",
        difficulty=int(level[0]) if level else 0,
        source="math",
        metadata={"solution": solution, "subject": str(subject)},
        split=split,
    )
