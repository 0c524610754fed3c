"""TRL's stepwise supervision: a prompt, its completions one step after another, and a label for each of them.

    {"prompt": "What is 2 + 3?", "completions": ["2 + 3 = 5", "answer 5"], "labels": [true, true]}

Labels are true or false, 1 or 0, or shares from 0 to 1, of which at least a half is right. TRL knows no neutral step:
an extra column `ratings` (+1, 0, -1), as `o1 labels dataset` writes it, is preferred to `labels`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from o1_assets.labels.formats.label_format import RatedPath, UnusableItem, path_format


class Item(msgspec.Struct):
    prompt: str
    completions: list[str]
    labels: list[bool | int | float | None]
    ratings: list[int | None] | None = None


def read(item: Item) -> RatedPath:
    """Raises UnusableItem where labels and completions do not match."""
    count = len(item.completions)
    if len(item.labels) != count:
        raise UnusableItem("wrong_count", f"{len(item.labels)} labels of {count} completions")
    ratings: Sequence[int | None] = [_rating(label) for label in item.labels]
    if item.ratings is not None:
        if len(item.ratings) != count or not set(item.ratings) <= {-1, 0, 1, None}:
            raise UnusableItem(
                "wrong_rating", f"ratings are {count} of 1, 0, -1 and null, one for each completion"
            )
        ratings = [
            rating if rating is not None else label
            for rating, label in zip(item.ratings, ratings, strict=True)
        ]
    return RatedPath(item.prompt, item.completions, ratings)


def _rating(label: bool | int | float | None) -> int | None:
    if label is None:
        return None
    if not 0 <= label <= 1:
        raise UnusableItem("wrong_rating", f"a label is true, false or a share from 0 to 1, and not {label}")
    return 1 if label >= 0.5 else -1


STEPWISE = path_format(
    "trl",
    "prompt, completions, labels",
    lambda item: {"prompt", "completions", "labels"} <= item.keys(),
    Item,
    read,
)
