"""Which examples fit into a training's longest sequence.

An example that is too long is left out and never cut: a solution without its end teaches a policy not to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from o1_assets.core.artifact import Check, CheckContext, Finding
from o1_assets.core.errors import O1Error


class TooLong(O1Error, ValueError):
    """No example fits; the message gives the lengths that would do."""


def fitting(
    lengths: Sequence[int], limit: int, what: str, setting: str, progress: Callable[[str], None]
) -> list[int]:
    """Indices of the examples of at most `limit` tokens; `progress` is told what is left out.

    lengths: tokens of each. what: the examples in the plural; setting: the name of the limit. Raises TooLong if there
    is none of them.
    """
    fits = [i for i, length in enumerate(lengths) if length <= limit]
    left_out = len(lengths) - len(fits)
    if left_out:
        # The shortest limit that keeps 99 of 100, beside the one that keeps all: a single freak may be very long.
        most, nearly_all = max(lengths), sorted(lengths)[-(-99 * len(lengths) // 100) - 1]
        remedy = f"{setting}={most} keeps all" + (
            f", {setting}={nearly_all} keeps 99%" if nearly_all < most else ""
        )
        reason = f"longer than {setting}={limit} tokens"
        if not fits:
            raise TooLong(f"all {left_out} {what} are {reason}, so nothing can be trained on: {remedy}")
        progress(f"{left_out} of {len(lengths)} {what} are left out, because they are {reason}: {remedy}")
    return fits


def _nothing_too_long(context: CheckContext) -> Finding:
    left_out = int(context.figures.get("too_long") or 0)
    words = (
        f"{left_out} examples were left out, because they are too long"
        if left_out
        else "every example fitted"
    )
    return Finding(not left_out, words, {"too_long": left_out})


LENGTH_CHECK = Check(
    "nothing_too_long",
    "No example was left out because it is longer than the training reads.",
    _nothing_too_long,
    serious=False,
)
