"""What the page asks for in an act, and the draft and the record that it makes.

An act arrives as JSON from a browser, so every part of it is checked before it is used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from o1_assets.labels.page.draft import (
    LONGEST_NOTE,
    LONGEST_TEXT,
    MOST_MILLISECONDS,
    ActRefused,
    Draft,
    Sheet,
)
from o1_assets.labels.protocol import Slot
from o1_assets.labels.schema import FinishReason, Record


def perform(
    act: dict[str, Any], sheet: Sheet, draft: Draft, labeler: str, now: str
) -> tuple[Draft, Record | None]:
    """The draft after the act, and the record where it ends the task. now: ISO 8601. Raises ActRefused.

    act: what, and what it needs: rate (step, completion, rating), confirm, others (rating), undo, write (text), note
    (text), finish (milliseconds), end (reason, milliseconds).
    """
    match act.get("what"):
        case "rate":
            slot = Slot(_whole(act, "step"), _whole(act, "completion"))
            return sheet.rate(draft, slot, _rating(act)), None
        case "confirm":
            return sheet.confirm(draft), None
        case "others":
            return sheet.rate_others(draft, _rating(act)), None
        case "undo":
            return draft.undone(), None
        case "write":
            return replace(draft, written=_text(act, LONGEST_TEXT)), None
        case "note":
            return replace(draft, note=_text(act, LONGEST_NOTE)), None
        case "finish":
            return draft, sheet.rated(draft, labeler, now, _milliseconds(act))
        case "end":
            reason: FinishReason | None = next(
                (each for each in ("bad_problem", "give_up") if each == act.get("reason")), None
            )
            if reason is not None:
                return draft, sheet.rated(draft, labeler, now, _milliseconds(act), reason)
    raise ActRefused("The page asked for something that this server does not know; load it again.")


def _whole(act: dict[str, Any], name: str) -> int:
    value = act.get(name)
    if type(value) is not int:
        raise ActRefused(f"{name} has to be a whole number.")
    return value


def _rating(act: dict[str, Any]) -> int | None:
    rating = act.get("rating")
    if rating is not None and (type(rating) is not int or rating not in (-1, 0, 1)):
        raise ActRefused("A rating is right, neutral, wrong or unsure.")
    return rating


def _text(act: dict[str, Any], longest: int) -> str:
    text = act.get("text")
    if not isinstance(text, str):
        raise ActRefused("There is no text.")
    if len(text) > longest:
        raise ActRefused(f"The text has {len(text)} characters, and {longest} are allowed.")
    return text


def _milliseconds(act: dict[str, Any]) -> int | None:
    """None where the browser measured nothing that can be true: the ratings are good all the same."""
    value = act.get("milliseconds")
    return value if type(value) is int and 0 <= value <= MOST_MILLISECONDS else None
