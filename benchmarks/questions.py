"""How many of the questions of tests/questions.txt `o1 ask` answers rightly, at every effort.

They are what a newcomer types, in nano's range, and their content is on the test side of the split, so that no seed
puts one into problems/train.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.registry import Figure
from o1_assets.problems.canonical import arithmetic
from o1_assets.problems.expression import Expression

NAME = "questions_right"


FILE = Path(__file__).parents[1] / "tests" / "questions.txt"


# A person gets seed 0, which is the value; the others show how far it is chance.
SEEDS = (0, 1, 2)


def read_questions() -> dict[str, int]:
    """Question, as it is typed -> its exact value."""
    return {
        line: Expression.parse(arithmetic(line) or "").value()
        for line in FILE.read_text(encoding="utf-8").splitlines()
    }


def count_right(values: Mapping[str, int], answers: Sequence[str | None]) -> int:
    """How many answers, in the order of the questions, are the exact value."""
    return sum(answer == str(value) for answer, value in zip(answers, values.values(), strict=True))


def compare() -> Mapping[str, Figure]:
    from o1_assets.cli.thinker import ask
    from o1_assets.core.errors import O1Error
    from o1_assets.core.settings import Settings
    from o1_assets.execution.project import Project
    from o1_assets.search.strategies import EFFORTS

    values, project = read_questions(), Project(Settings.load("nano"))
    figures = {}
    for effort in sorted(EFFORTS, key=lambda name: name != "high"):
        right = []
        for seed in SEEDS:
            try:
                asked = ask(project, list(values), effort=effort, seed=seed)
            except O1Error as error:
                raise SystemExit(f"{error}") from None
            answers = [trace.result.answer.answer for trace in asked.traces]
            right.append(count_right(values, answers))
            if effort == "high" and seed == 0:
                for (question, value), answer in zip(values.items(), answers, strict=True):
                    if answer != str(value):
                        print(f"  {question} is {value}, and the answer was {answer}")
        against = f"of {len(values)}, at least 38 at high effort; {asked.title}; seeds: {right}"
        name = NAME if effort == "high" else f"{NAME}_{effort}"
        figures[name] = Figure(right[0], max(right) - min(right), "right", against)
    return figures
