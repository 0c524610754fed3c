"""Word problems of one or two calculations: SVAMP, and the problems of MAWPS and ASDiv-A published beside it.

SVAMP (Patel et al. 2021, arXiv:2103.07191) varies problems of ASDiv-A, and is meant as the test set of models that were
trained on the other two. Each problem has an equation, which gives a worked solution: a calculation a line.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from urllib.request import urlopen

from o1_assets.problems.canonical import canonical
from o1_assets.problems.config import WORD_PROBLEMS_REVISION, WordProblemsSource
from o1_assets.problems.equation import Equation, decimal
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem, in_seeded_order
from o1_assets.problems.rows import Row, read_problems

REPOSITORY = "https://raw.githubusercontent.com/arkilpatel/SVAMP"
SVAMP, OTHERS = "SVAMP.json", "data/mawps-asdiv-a_svamp/train.csv"
SHA256 = {
    SVAMP: "5be77703a6d891ae476d7c082787ad361392aa02453b132516cdd5f4e7934e3e",
    OTHERS: "c761cdc6390a67a285c6c346a2931f61bc8f47430eceaeb123cc3d0263efa821",
}
REMEDY = (
    "`--set problems.source.folder=DIR` reads them from a clone of github.com/arkilpatel/SVAMP, or from a folder with "
    "SVAMP.json and mawps-asdiv-a-train.csv, which is the clone's train.csv of that name"
)
SECONDS = 30.0
"""How long GitHub may be silent."""

_NUMBER = re.compile(r"number(\d+)")
_ANY_NUMBER = re.compile(r"\d[\d,.]*\d|\d")
# MAWPS and ASDiv-A are published as separate words: "Tom 's box , with $ 5 ."
_SPACES = re.compile(r"\s+(?=[,.?!;:%]|'s\b|n't\b)|(?<=\$)\s+")
_SENTENCE = re.compile(r"^[a-z]|(?<=[.?!] )[a-z]")


class WordProblems:
    endless = False

    def __init__(self, config: WordProblemsSource) -> None:
        self.config = config

    def problems(self, seed: int) -> Iterator[RawProblem | LeftOut]:
        svamp = read_problems(_svamp_rows(self._text(SVAMP)), svamp_problem, SVAMP)
        tested = {item.group for item in svamp if isinstance(item, RawProblem)}

        def read(row: Row) -> RawProblem:
            problem = mawps_problem(row)
            # One that differs from a problem of SVAMP in its numbers only would give that one's solution away.
            known = "test" if problem.group in tested else None
            return replace(problem, split=known if self.config.held_out else known or "train")

        others = read_problems(_other_rows(self._text(OTHERS)), read, OTHERS)
        yield from in_seeded_order([*svamp, *others], seed)

    def _text(self, name: str) -> str:
        if self.config.folder is None:
            return _published(name)
        file = published_file(Path(self.config.folder), name)
        try:
            return file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProblemError(f"{file} cannot be read ({error}); {REMEDY}.") from error


def published_file(folder: Path, name: str) -> Path:
    """Where one of the two files is in a clone of the repository, or in a folder with the two alone."""
    return folder / name if (folder / name).is_file() or name == SVAMP else folder / "mawps-asdiv-a-train.csv"


def unavailable(config: WordProblemsSource) -> Iterator[str]:
    """A sentence if the files cannot be had."""
    if config.folder is not None:
        folder = Path(config.folder)
        absent = [name for name in (SVAMP, OTHERS) if not published_file(folder, name).is_file()]
        if absent:
            yield f"{' and '.join(absent)} are not in {folder}: {REMEDY}."
        return
    try:
        _published(SVAMP)
    except ProblemError as error:
        yield str(error)


def svamp_problem(row: Row) -> RawProblem:
    """A test problem. Raises LeftOut."""
    body, question = row.text("Body"), row.text("Question")
    if body[-1] not in ".?!,":
        body, question = body + ",", question[0].lower() + question[1:]
    return _problem(row, f"{body} {question}", Equation.infix, "svamp", "test")


def mawps_problem(row: Row) -> RawProblem:
    """A problem of MAWPS or ASDiv-A; the file does not say of which. Raises LeftOut."""
    numbers = row.text("Numbers").split()
    try:
        written = [decimal(Fraction(number)) for number in numbers]
        question = _NUMBER.sub(lambda name: written[int(name[1])], row.text("Question"))
    except (ValueError, IndexError) as error:
        raise LeftOut(row.place, "its numbers do not fit its question", "correct them") from error
    text = _SENTENCE.sub(lambda letter: letter[0].upper(), _SPACES.sub("", question))
    return _problem(row, text, partial(Equation.prefix, numbers=numbers), "mawps_asdiv", None)


def _problem(
    row: Row, question: str, parse: Callable[[str], Equation], source: str, split: str | None
) -> RawProblem:
    """Difficulty is the number of calculations."""
    written = row.text("Equation")
    try:
        equation = parse(written)
        answer, steps = decimal(equation.value), [str(step) for step in equation.calculations]
        given = Fraction(row.text("Answer", number=True))
    except ValueError as error:
        raise LeftOut(
            row.place, f"its equation or answer cannot be used: {error}", "correct it", written
        ) from error
    if not steps:
        raise LeftOut(row.place, "its equation calculates nothing", "leave it out", written)
    if abs(given - equation.value) > Fraction(1, 1000):
        raise LeftOut(row.place, "its equation does not give its answer", "correct one of them", written)
    content = canonical(question)
    return RawProblem(
        question=question,
        answer=answer,
        canonical=content,
        grader="math",
        difficulty=len(steps),
        source=source,
        metadata={"solution": "\n".join(steps)},
        split=split,
        place=row.place,
        group=_ANY_NUMBER.sub("#", content),
    )


def _svamp_rows(text: str) -> Iterator[Row]:
    for number, values in enumerate(json.loads(text), 1):
        yield Row(f"{SVAMP}, item {number}", values)


def _other_rows(text: str) -> Iterator[Row]:
    for number, values in enumerate(csv.DictReader(io.StringIO(text)), 1):
        yield Row(f"{OTHERS}, row {number}", values)


def _published(name: str) -> str:
    """The file at the commit that `config` names, from GitHub. Raises ProblemError."""
    try:
        with urlopen(f"{REPOSITORY}/{WORD_PROBLEMS_REVISION}/{name}", timeout=SECONDS) as opened:
            read: bytes = opened.read()
    except OSError as error:
        raise ProblemError(f"{name} could not be loaded from GitHub ({error}): {REMEDY}.") from error
    if hashlib.sha256(read).hexdigest() != SHA256[name]:
        raise ProblemError(f"{name} on GitHub is not the file that was pinned: {REMEDY}.")
    return read.decode()
