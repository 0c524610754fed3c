"""Finds the final answer in a solution's text."""

from __future__ import annotations

BOXED = "\\boxed"


def extract_answer(text: str, answer_prefix: str) -> str | None:
    """What stands behind the answer marker on the last line that starts with it; None if no line does.

    answer_prefix: "answer" (nano), "####" (GSM8K), or "\\\\boxed", of which the last balanced one counts wherever
    it stands. A marker that ends in a letter has to end there: "answers 7" is no answer line.
    """
    if answer_prefix.strip().rstrip("{") == BOXED:
        return _last_boxed(text)
    marker = answer_prefix.strip()
    for line in reversed(text.splitlines()):
        line = line.strip()
        if not line.startswith(marker):
            continue
        rest = line[len(marker) :]
        if marker[-1:].isalnum() and rest[:1].isalnum():
            continue
        return rest.lstrip(" \t:").strip() or None
    return None


def _last_boxed(text: str) -> str | None:
    """The last \\boxed{...}; one that is never closed (a solution cut short) is none at all."""
    start = text.rfind(BOXED + "{")
    if start < 0:
        return None
    begin = start + len(BOXED) + 1
    depth = 1
    for at in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[begin:at].strip() or None
    return None
