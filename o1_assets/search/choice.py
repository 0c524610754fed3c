"""Which of the solutions that were found is the answer."""

from __future__ import annotations

from collections.abc import Sequence

from o1_assets.search.tree import End, Node


def best(ends: Sequence[End]) -> Node | None:
    """The solution of the highest score; of equals the first found. One with an answer before one without."""
    return max(
        (end.node for end in ends),
        key=lambda n: (n.answer is not None, not n.forced, n.score, -n.index),
        default=None,
    )


def majority(ends: Sequence[End]) -> Node | None:
    """Self-consistency (Wang et al., arXiv:2203.11171): the answer given most often, in its first solution."""
    return _vote(ends, weighted=False)


def weighted_majority(ends: Sequence[End]) -> Node | None:
    """The answer whose solutions' scores sum to most (Li et al., arXiv:2206.02336), in its best solution."""
    return _vote(ends, weighted=True)


def _vote(ends: Sequence[End], weighted: bool) -> Node | None:
    votes: dict[str, float] = {}
    for end in ends:
        if end.node.answer is not None:
            votes[end.node.answer] = votes.get(end.node.answer, 0.0) + (end.node.score if weighted else 1.0)
    if not votes:
        return None
    most = max(votes.values())
    # Of equals the answer that was found first: a dictionary keeps the order.
    answer = next(answer for answer, vote in votes.items() if vote == most)
    chosen = [end for end in ends if end.node.answer == answer]
    return best(chosen) if weighted else chosen[0].node
