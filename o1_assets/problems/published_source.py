"""Two published sets of problems, from a folder or from the Hub: GSM8K and MATH.

GSM8K: grade-school word problems, answers after `####` (Cobbe et al. 2021, arXiv:2110.14168).
MATH: competition problems, answers in \\boxed{} (Hendrycks et al. 2021, arXiv:2103.03874).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from o1_assets.core.boxes import Box, boxes, final_boxes
from o1_assets.problems.canonical import canonical
from o1_assets.problems.config import Gsm8kSource, MathSource
from o1_assets.problems.grading import grade
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem, in_seeded_order
from o1_assets.problems.rows import Row, json_value, read_problems, read_rows

GSM8K = "openai/gsm8k"
MATH, MATH_500 = "EleutherAI/hendrycks_math", "HuggingFaceH4/MATH-500"

MATH_SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
    "precalculus",
)  # fmt: skip


# A question that asks for several values, so that all boxes of its solution belong to the answer.
_ASKS_FOR_ALL = re.compile(
    r"separated by|\b(find|enter|list|give|determine|compute|solve for)\s+(the\s+)?all\b", re.IGNORECASE
)
# Words of a sentence that boxes one more answer, of which any is right: "Either point is acceptable."
_ALTERNATIVE = re.compile(r"\b(also|accept\w*|either [a-z]+ is)\b", re.IGNORECASE)
# "x = 3 or x = 5" and "either 3 or 5" are the values of x; "28 or 28_9" is one value in two forms.
_VALUES = re.compile(r"\beither\b(?! [a-z]+ is\b)|=[^=]*\bor\b[^=]*=", re.DOTALL)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


class PublishedProblems:
    endless = False

    def __init__(self, config: Gsm8kSource | MathSource) -> None:
        self.config = config

    def problems(self, seed: int) -> Iterator[RawProblem | LeftOut]:
        read = gsm8k_problem if isinstance(self.config, Gsm8kSource) else math_problem
        # Test first: a problem that both files hold counts where it occurs first, so none of the test set is trained
        # on. Of MATH-500, all 500 are repeated in the full set.
        for split in ("test", "train"):
            fixed = split if getattr(self.config, "official_split", True) else None
            name, rows = self._rows(split)
            yield from in_seeded_order(read_problems(rows, partial(read, split=fixed), name), seed)

    def _rows(self, split: str) -> tuple[Path | str, Iterator[Row | LeftOut]]:
        """What is read, for messages, and its rows."""
        if self.config.folder is not None:
            file = Path(self.config.folder) / f"{split}.jsonl"
            return file, read_rows(file)
        if isinstance(self.config, Gsm8kSource):
            return GSM8K, _hub_rows(GSM8K, "main", split, self.config.revision)
        if split == "test":
            return MATH_500, _hub_rows(MATH_500, None, "test", self.config.test_revision)
        # The published sides of MATH are ignored: all but MATH-500 is trained on (arXiv:2305.20050, section 4.3).
        tables = [(subject, side) for subject in MATH_SUBJECTS for side in ("train", "test")]
        return MATH, chain.from_iterable(_hub_rows(MATH, *table, self.config.revision) for table in tables)


def _hub_rows(repo: str, name: str | None, split: str, revision: str) -> Iterator[Row | LeftOut]:
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
    reasoning, marker, after = solution.rpartition("####")
    answer = (after.strip().splitlines() or [""])[0].strip()
    if not marker or not answer:
        raise LeftOut(row.place, "the answer has no '#### ' with a final answer after it", "add one")
    return RawProblem(
        question=question,
        answer=_THOUSANDS.sub("", answer),
        canonical=canonical(question),
        grader="math",
        difficulty=reasoning.count("<<"),
        source="gsm8k",
        metadata={"solution": reasoning.strip()},
        split=split,
        place=row.place,
    )


def math_problem(row: Row, split: str | None) -> RawProblem:
    """Difficulty is MATH's level, 1 to 5; 0 where it has none."""
    question, solution = row.text("problem"), row.text("solution")
    # MATH-500 and PRM800K's files have a column for the answer, the full set has it in the solution only.
    given = row.text("answer", number=True) if row.holds("answer") else None
    try:
        answer = answer_in_boxes(question, solution, row.place)
    except LeftOut:
        if given is None:
            raise
        answer = given
    # Those columns hold the last box alone where a solution boxes several answers.
    shortened = given is not None and given != answer and answer.endswith(f", {given}")
    level = re.search(r"[1-5]", str(row.values.get("level", "")))
    subject = row.values.get("subject") or row.values.get("type") or ""
    return RawProblem(
        question=question,
        answer=answer if given is None or shortened else given,
        canonical=canonical(question),
        grader="math",
        difficulty=int(level[0]) if level else 0,
        source="math",
        metadata={"solution": solution, "subject": json_value(str(subject))},
        split=split,
        corrected=shortened,
        place=row.place,
    )


def answer_in_boxes(question: str, solution: str, place: str) -> str:
    """The final answer that a solution boxes, a list such as "3, 5" where it boxes several.

    Raises LeftOut where no box is the answer, or any of several is: such a problem has no single right answer.
    """
    # Of MATH's 12,500 solutions 206 have more than one box; in 46 they differ, and were read to find these rules.
    every = [box for box in boxes(solution) if box.content]
    final = final_boxes(every)
    if not final:
        raise LeftOut(place, "the solution has no \\boxed{...} with a final answer", "add one")
    if boxes(question) and re.match(r"\s*=", solution[final[-1].end :]):
        raise LeftOut(
            place, "the question uses boxes itself, and none is the answer", "give the row an `answer`"
        )
    answers = _distinct(box.content for box in final)
    if len(every) == len(final) == 1:
        return answers[0]
    everything = _distinct(box.content for box in every)
    earlier = len(everything) > len(answers)
    if _ASKS_FOR_ALL.search(question):
        return ", ".join(everything)
    sentence = _sentence(solution, final[-1])
    forms = any("or" in (box.joint or "") for box in final[1:]) and not _VALUES.search(sentence)
    if (earlier or len(answers) > 1) and (forms or _ALTERNATIVE.search(sentence)):
        reason = "the solution boxes several answers, of which any is right"
        raise LeftOut(place, reason, "give the row an `answer`", " or ".join(everything)[:80])
    # Boxes before the last sentence are intermediate results where the question asks for a single value.
    return ", ".join(answers)


def _distinct(answers: Iterable[str]) -> list[str]:
    """Each answer once, as it is written last."""
    kept: list[str] = []
    for answer in answers:
        same = [
            i for i, other in enumerate(kept) if answer == other or grade("math", answer, {"answer": other})
        ]
        if same:
            kept[same[0]] = answer
        else:
            kept.append(answer)
    return kept


def _sentence(solution: str, box: Box) -> str:
    """The sentence that a box ends, and the beginning of the next."""
    start = max(solution.rfind(end, 0, box.start) for end in (". ", ".\n", "\n\n"))
    return solution[start + 1 : box.end + 60]
