"""GSM8K: grade-school word problems, answers after `####` (Cobbe et al. 2021, arXiv:2110.14168)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from o1_assets.problems.canonical import canonical
from o1_assets.problems.config import Gsm8kSource
from o1_assets.problems.file_source import Row, read_rows
from o1_assets.problems.problem import ProblemError, RawProblem, in_seeded_order


class Gsm8kProblems:
    endless = False

    def __init__(self, config: Gsm8kSource) -> None:
        self.config = config

    def problems(self, seed: int) -> Iterator[RawProblem]:
        """The test problems come first: where train repeats one, the first occurrence counts."""
        for split in ("test", "train"):
            rows = self._from_folder(split) if self.config.folder is not None else self._from_hub(split)
            fixed = split if self.config.official_split else None
            yield from in_seeded_order((_problem(row, fixed) for row in rows), seed)

    def _from_folder(self, split: str) -> Iterator[Row]:
        return read_rows(Path(str(self.config.folder)) / f"{split}.jsonl")

    def _from_hub(self, split: str) -> Iterator[Row]:
        from datasets import load_dataset

        try:
            table = load_dataset("openai/gsm8k", "main", split=split, revision=self.config.revision)
        except Exception as error:
            raise ProblemError(
                f"GSM8K could not be loaded from the Hub ({type(error).__name__}): check the network, or set `folder`"
                " to one with train.jsonl and test.jsonl."
            ) from error
        for number, row in enumerate(table, 1):
            yield Row(f"openai/gsm8k {split}, row {number}", row)


def _problem(row: Row, split: str | None) -> RawProblem:
    """Difficulty is the number of calculations that the reference solution marks with <<...>>."""
    question, solution = row.text("question"), row.text("answer")
    reasoning, marker, answer = solution.rpartition("####")
    if not marker or not answer.strip():
        raise ProblemError(f"{row.where}: the answer has no '#### ' with a final answer after it; add one.")
    return RawProblem(
        question=question,
        answer=answer.strip().replace(",", ""),
        canonical=canonical(question),
        grader="math",
        difficulty=reasoning.count("<<"),
        source="gsm8k",
        metadata={"solution": reasoning.strip()},
        split=split,
    )
