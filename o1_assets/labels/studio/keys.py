"""One key for every rating of every completion: the column of the keyboard is the step, the row the rating.

Label Studio binds a key to a choice of the whole page, so equal keys at every step cannot be had. Step 3 is rated
right with 3, neutral with e, wrong with d, unsure with c; its first alternative with the same keys and Shift.
"""

from __future__ import annotations

from o1_assets.labels.protocol import Slot

ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
"""Right, neutral, wrong, unsure."""


MODIFIERS = ("", "shift+", "alt+", "alt+shift+")
"""The step itself, its first alternative, its second, its third."""


NO_KEY = " "
"""A key that nothing sends: a choice without any would be given one by Label Studio."""


def key_of(slot: Slot, row: int) -> str:
    """row: 0 right, 1 neutral, 2 wrong, 3 unsure."""
    if slot.step < len(ROWS[row]) and slot.completion < len(MODIFIERS):
        return MODIFIERS[slot.completion] + ROWS[row][slot.step]
    return NO_KEY


def title_of(slot: Slot) -> str:
    """What stands before a completion: the step's number, or how an alternative's keys differ from the step's."""
    if slot.completion == 0:
        return f"Step {slot.step + 1}"
    has_keys = key_of(slot, 0) != NO_KEY
    return MODIFIERS[slot.completion].title().replace("+", " ").strip() if has_keys else "or"
