"""Two published sets of problems, from a folder or from the Hub: GSM8K and MATH.

GSM8K: grade-school word problems, answers after `####` (Cobbe et al. 2021, arXiv:2110.14168).
MATH: competition problems, answers in \\boxed{} (Hendrycks et al. 2021, arXiv:2103.03874).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from o1_assets.core.prompt_format import BOXED, extract_answer
from o1_assets.problems.canonical import canonical
from o1_assets.problems.config import Gsm8kSource, MathSource
from o1_assets.problems.file_source import Row, read_rows
from o1_assets.problems.problem import ProblemError, RawProblem, in_seeded_order

GSM8K = "openai/gsm8k"
MATH, MATH_500 = "EleutherAI/hendrycks_math", "HuggingFaceH4/MATH-500"

MATH_SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
    "precalculus",
)  # fmt: skip


class PublishedProblems:
    endless = False

    def __init__(self, config: Gsm8kSource | MathSource) -> None:
        self.config = config

    def problems(self, seed: int) -> Iterator[RawProblem]:
        read = gsm8k_problem if isinstance(self.config, Gsm8kSource) else math_problem
        # Test first: a problem that both files hold counts where it occurs first, so none of the test set is trained
        # on. Of MATH-500, all 500 are repeated in the full set.
        for split in ("test", "train"):
            fixed = split if getattr(self.config, "official_split", True) else None
            yield from in_seeded_order((read(row, fixed) for row in self._rows(split)), seed)

    def _rows(self, split: str) -> Iterator[Row]:
        if self.config.folder is not None:
            yield from read_rows(Path(self.config.folder) / f"{split}.jsonl")
        elif isinstance(self.config, Gsm8kSource):
            yield from _hub_rows(GSM8K, "main", split, self.config.revision)
        elif split == "test":
            yield from _hub_rows(MATH_500, None, "test", self.config.test_revision)
        else:
            # The published sides of MATH are ignored: all but MATH-500 is trained on (arXiv:2305.20050, section 4.3).
            for subject in MATH_SUBJECTS:
                for side in ("train", "test"):
                    yield from _hub_rows(MATH, subject, side, self.config.revision)


def _hub_rows(repo: str, name: str | None, split: str, revision: str) -> Iterator[Row]:
    from datasets import load_dataset

    try:
        table: Any = load_dataset(repo, name, split=split, revision=revision)
    except Exception as error:
        raise ProblemError(
            f"{repo} could not be loaded from the Hub ({type(error).__name__}): check the network, or set `folder` to"
            " one with train.jsonl and test.jsonl."
        ) from error
    for number, values in enumerate(table, 1):
        yield Row(f"{repo} {name or ''} {split}, row {number}", values)


def gsm8k_problem(row: Row, split: str | None) -> RawProblem:
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


def math_problem(row: Row, split: str | None) -> RawProblem:
    """Difficulty is MATH's level, 1 to 5; 0 where it has none."""
    question, solution = row.text("problem"), row.text("solution")
    # MATH-500 and PRM800K's files have a column for the answer, the full set has it in the solution only.
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
