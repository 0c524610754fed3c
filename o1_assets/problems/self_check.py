"""Whether an answer solves its own problem, as far as the question alone tells. It needs no answer key."""

from __future__ import annotations

from functools import lru_cache

from o1_assets.problems.countdown import Countdown


def self_check(question: str, answer: str) -> bool | None:
    """Whether the answer passes the check that its question allows; None where it allows none.

    question: or a prompt that holds it.

    >>> self_check("Use 3, 7, 8 and 2 to make 24.", "((7-3)+8)*2"), self_check("What is 3 * 4 - 5?", "7")
    (True, None)
    """
    countdown = _countdown(question)
    return None if countdown is None else countdown.solved_by(answer)


# A search checks hundreds of answers to one question.
_countdown = lru_cache(maxsize=1 << 10)(Countdown.parse)
