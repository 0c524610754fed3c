"""What a Q-value model learns from: train problems, each solved many times by sampling and by search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from o1_assets.core.seeds import derive_seed
from o1_assets.problems.grading import grade_all
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.q_value.config import QValueConfig
from o1_assets.search.run import SearchModels, search
from o1_assets.search.tree import Tree
from o1_assets.search.vote import Chains


@dataclass(frozen=True)
class Solved:
    """The tree of one problem. right: answer -> whether it is correct.

    searched: a strategy chose what was sampled, so that the share of right ends is not the policy's own accuracy.
    """

    problem_id: str
    tree: Tree
    right: dict[str, bool]
    searched: bool

    def outcome(self, answer: str | None) -> float:
        """1 for a right answer; a solution that ended without one is wrong."""
        return float(answer is not None and self.right[answer])


def collect(
    problems: Sequence[dict[str, Any]], models: SearchModels, config: QValueConfig, seed: int
) -> list[Solved]:
    """For each problem the tree of its chains and, if the config says so, a search tree. Graded on the answer."""
    prompts = [config.prompt.render(problem["question"]) for problem in problems]
    # Chains end by their number, not by tokens. "majority", because it asks no PRM about the steps.
    plans: list[tuple[Strategy, int]] = [(Chains("majority", config.chains), 10**9)]
    if config.tree_tokens:
        plans.append((PuctSearch(None, config.branch), config.tree_tokens))
    solved = []
    for number, (strategy, tokens) in enumerate(plans):
        budget = Budget(tokens, config.max_steps, config.step_tokens, config.prompt.max_tokens)
        seeds = [derive_seed(seed, number, problem["problem_id"]) for problem in problems]
        trees = [result.tree for result in search(strategy, prompts, models, budget, seeds)]
        answers = [
            sorted({end.node.answer for end in tree.ends if end.node.answer is not None}) for tree in trees
        ]
        verdicts = iter(
            grade_all([(a, p) for p, given in zip(problems, answers, strict=True) for a in given])
        )
        for problem, tree, given in zip(problems, trees, answers, strict=True):
            right = {answer: next(verdicts) for answer in given}
            solved.append(Solved(problem["problem_id"], tree, right, searched=number > 0))
    return solved


# What the Q-value of a step should be: the mean of the returns at first, then as in Q-learning.
#
# Q(s, a) is the chance that a solution which continues the steps s with the step a ends right. A node of the tree
# stands for (s, a), its children for the actions sampled after it. The only reward is 1 for a right answer at the end,
# and nothing is discounted.


class Return(NamedTuple):
    """mean: outcome of the solutions that ended below a node or at it; ends: how many they were."""

    mean: float
    ends: int


def returns(solved: Solved) -> dict[int, Return]:
    """By node index; nodes below which nothing ended are left out."""
    outcomes: dict[int, list[float]] = {}
    for end in solved.tree.ends:
        for node in end.node.path():
            outcomes.setdefault(node.index, []).append(solved.outcome(end.node.answer))
    return {index: Return(sum(values) / len(values), len(values)) for index, values in outcomes.items()}


def bootstrapped(solved: Solved, values: Mapping[int, float]) -> dict[int, float]:
    """node index -> the outcome where the solution ends, else the largest value of a step after it (Q*,
    arXiv:2406.14283, equation 5, with reward at the end only).

    values: node index -> today's Q. Nodes after which nothing was sampled are left out.
    """
    targets = {}
    for node in solved.tree.nodes[1:]:
        if node.cut:
            continue
        if node.ended:
            targets[node.index] = solved.outcome(node.answer)
            continue
        after = [values[child.index] for child in node.children if child.index in values and not child.cut]
        if after:
            targets[node.index] = max(after)
    return targets
