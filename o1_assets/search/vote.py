"""Many chains of thought, and which of their solutions is the answer: majority, best of N, weighted majority."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from o1_assets.search.interface import Budget, Complete, Plan, Score, Settings
from o1_assets.search.tree import End, Node, Tree

# Chains at a time where the budget may be exceeded by as many.
AT_ONCE = 16


@dataclass(frozen=True)
class Chains(Settings):
    """N solutions. samples: N; None: as many as the budget lasts for.

    choice: majority (self-consistency), best (best of N), weighted (reward-weighted majority).
    at_once: so many at a time; None: a hard budget in as few calls as possible, else AT_ONCE.
    """

    choice: Literal["majority", "best", "weighted"]
    samples: int | None = None
    at_once: int | None = None

    @property
    def reads(self) -> Literal["nothing", "prm"]:
        return "nothing" if self.choice == "majority" else "prm"

    def plan(self, tree: Tree, budget: Budget) -> Plan:
        if budget.hard and budget.clock is None and self.samples is None and self.at_once is None:
            yield from self._spend(tree, budget)
            return
        before, at_once = tree.root.drawn, self.at_once or AT_ONCE
        # In batches: the budget is looked at again after each.
        while not budget.spent(tree) and (drawn := tree.root.drawn - before) != self.samples:
            count = at_once if self.samples is None else min(at_once, self.samples - drawn)
            yield [Complete(tree.root, count, scored=self.choice != "majority")]

    def _spend(self, tree: Tree, budget: Budget) -> Plan:
        """All of a hard budget. First as many chains as surely fit, which are few, for most are far shorter than the
        longest. Then each call has about as many as will fit, all cut off at an equal share of what is left, and the
        next call samples the rest of those that were cut off. The PRM reads everything once, in the end."""
        cut: list[Node] = []
        while not budget.spent(tree):
            left = budget.tokens - tree.tokens_generated
            going = sum(node.samples - node.drawn for node in cut)
            # What a solution has taken so far, and a margin so that few are cut off for good. With a guess in place of
            # the longest a first call would cut off all solutions that are a little longer than that, and spend all.
            taken = 1.25 * tree.tokens_generated / len(tree.ends) if tree.ends else budget.solution_tokens
            count = int(left / max(1, min(taken, budget.solution_tokens)))
            fresh = max(count - going, 0 if cut else 1)
            longest = max(1, left // (going + fresh))
            requests = [self._rest(node, longest, budget) for node in cut]
            if fresh:
                most = min(longest, budget.solution_tokens)
                requests.append(Complete(tree.root, fresh, scored=False, longest=most))
            replies = yield [*requests]
            reached = dict.fromkeys(node for reply in replies for node in reply)
            cut = [node for node in reached if self._goes_on(node, budget)]
        if self.choice != "majority":
            yield [Score(node) for node in dict.fromkeys(end.node for end in tree.ends)]

    @staticmethod
    def _rest(node: Node, longest: int, budget: Budget) -> Complete:
        most = budget.solution_tokens - len(node.completion_ids())
        return Complete(node, node.samples - node.drawn, scored=False, longest=min(longest, most))

    @staticmethod
    def _goes_on(node: Node, budget: Budget) -> bool:
        more = node.partial and node.samples > node.drawn
        return more and len(node.completion_ids()) < budget.solution_tokens

    def cache_tokens(self, budget: Budget) -> int:
        return 0

    def choose(self, ends: Sequence[End]) -> Node | None:
        return CHOICES[self.choice](ends, self.prior)


def best(ends: Sequence[End], prior: float = 0.0) -> Node | None:
    """The solution believed most; among equals the first. One with an answer beats one without."""
    return max(
        (end.node for end in ends),
        # An answer that the policy had to be asked for (forced) loses to one that it gave by itself.
        key=lambda n: (n.answer is not None, not n.forced, n.belief(prior), -n.index),
        default=None,
    )


def majority(ends: Sequence[End], prior: float = 0.0) -> Node | None:
    """Self-consistency (Wang et al., arXiv:2203.11171): the answer given most often, in its first solution."""
    return _vote(ends, [1.0] * len(ends), lambda chosen: chosen[0].node)


def weighted_majority(ends: Sequence[End], prior: float = 0.0) -> Node | None:
    """The answer whose solutions' scores have the largest sum (Li et al., arXiv:2206.02336), in its best solution.

    With a prior each distinct solution counts once: its weight knows the policy's probability already, which how often
    a sample comes back estimates in chains alone, and nothing does in a tree.
    """
    if prior:
        ends = list({end.node.index: end for end in reversed(ends)}.values())[::-1]
    return _vote(ends, [end.node.belief(prior) for end in ends], lambda chosen: best(chosen, prior))


def _vote(
    ends: Sequence[End], weights: Sequence[float], represent: Callable[[list[End]], Node | None]
) -> Node | None:
    """represent: which of the solutions with the chosen answer to answer with."""
    votes: dict[str, float] = {}
    for end, weight in zip(ends, weights, strict=True):
        if end.node.answer is not None:
            votes[end.node.answer] = votes.get(end.node.answer, 0.0) + weight
    if not votes:
        return None
    most = max(votes.values())
    # Among equals the answer that came first: a dictionary keeps its order.
    answer = next(answer for answer, vote in votes.items() if vote == most)
    return represent([end for end in ends if end.node.answer == answer])


CHOICES = {"majority": majority, "best": best, "weighted": weighted_majority}
