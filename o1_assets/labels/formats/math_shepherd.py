"""Math-Shepherd (arXiv:2312.08935), as published: problem and steps in one text, each step's end marked by a sign.

    {"input": "What is 2 + 3? Step 1: 2 + 3 = 6. ки", "label": "What is 2 + 3? Step 1: 2 + 3 = 6. -", "task": "GSM8K"}

+ is right and - wrong, by hard estimates from rollouts. The two texts are equal but for the marks.
"""

from __future__ import annotations

import re

import msgspec

from o1_assets.labels.formats.label_format import RatedPath, UnusableItem, path_format

MARK = "ки"
RATING_OF = {"+": 1, "-": -1}

_FIRST_STEP = re.compile(r"\bstep 1:", re.IGNORECASE)
_ANSWER = re.compile(r"The answer is:?\s*(.+?)\s*$", re.DOTALL)


class Item(msgspec.Struct):
    input: str
    label: str


def read(item: Item) -> RatedPath:
    """Raises UnusableItem where the two texts differ, or where the problem's end cannot be found."""
    *texts, rest = item.input.split(MARK)
    if not texts:
        raise UnusableItem("no_mark", f"no step of `input` ends in {MARK}")
    ratings = _ratings(item.label, texts, rest)
    problem, first = _problem(texts[0])
    if not first and len(texts) > 1 and _FIRST_STEP.match(texts[1].strip()):
        # Some published problems end in a mark themselves.
        steps, ratings = texts[1:], ratings[1:]
    elif first:
        steps = [first, *texts[1:]]
    else:
        raise UnusableItem("no_problem", "nothing tells where the problem ends and its first step begins")
    steps = [step.strip() for step in steps]
    answer = _ANSWER.search(steps[-1])
    return RatedPath(problem.strip(), steps, ratings, answer[1] if answer else None)


def _ratings(label: str, texts: list[str], rest: str) -> list[int | None]:
    """The sign after each of the texts."""
    ratings: list[int | None] = []
    at = 0
    for number, text in enumerate(texts):
        sign = label[at + len(text) : at + len(text) + 1]
        if not label.startswith(text, at) or sign not in RATING_OF:
            raise UnusableItem(
                "wrong_label", f"`label` does not repeat `input` with + or - at mark {number + 1}"
            )
        ratings.append(RATING_OF[sign])
        at += len(text) + 1
    if label[at:].strip() != rest.strip():
        raise UnusableItem("wrong_label", "`label` goes on otherwise than `input` after the last mark")
    return ratings


def _problem(text: str) -> tuple[str, str]:
    """The problem and the first step, which stand before the first mark; "" where nothing tells them apart."""
    if first := _FIRST_STEP.search(text):
        return text[: first.start()], text[first.start() :]
    question, mark, step = text.rpartition("?")
    return (question + mark, step.strip()) if mark else (text, "")


MATH_SHEPHERD = path_format(
    "math-shepherd",
    "input, label",
    lambda item: (
        isinstance(item.get("input"), str) and isinstance(item.get("label"), str) and MARK in item["input"]
    ),
    Item,
    read,
)
