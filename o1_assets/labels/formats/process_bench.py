"""ProcessBench (arXiv:2412.06559, section 3), as published: a solution's steps and the number of the first wrong one.

    {"id": "gsm8k-0", "generator": "..", "problem": "..", "steps": ["..", ".."], "final_answer_correct": false,
     "label": 1}

label counts from 0, and -1 says that no step is wrong. Nobody rated the steps after the first wrong one.
"""

from __future__ import annotations

import msgspec

from o1_assets.labels.formats.label_format import RatedPath, UnusableItem, path_format


class Item(msgspec.Struct):
    problem: str
    steps: list[str]
    label: int
    final_answer_correct: bool | None = None


def read(item: Item) -> RatedPath:
    """Raises UnusableItem on a label that names no step."""
    if not -1 <= item.label < len(item.steps):
        raise UnusableItem(
            "no_such_step",
            f"label {item.label} names none of {len(item.steps)} steps; -1 says that all are right",
        )
    ratings = [1] * len(item.steps) if item.label < 0 else [1] * item.label + [-1]
    return RatedPath(item.problem, item.steps, ratings, correct=item.final_answer_correct)


PROCESS_BENCH = path_format(
    "processbench",
    "problem, steps, label",
    lambda item: {"problem", "steps", "label"} <= item.keys() and isinstance(item["steps"], list),
    Item,
    read,
)
