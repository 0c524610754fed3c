"""What a Q-value model learns from: train problems solved many times over, by sampling and by search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from o1_assets.core.seeds import derive_seed
from o1_assets.problems.grading import grade
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.q_value.config import QValueConfig
from o1_assets.search.run import Thinker, search
from o1_assets.search.tree import Tree
from o1_assets.search.vote import Chains


@dataclass(frozen=True)
class Solved:
    """A tree of one problem. right: answer -> whether it is correct. searched: not of chains only, whose shares of
    right ends say how often the policy itself gets there."""

    problem_id: str
    tree: Tree
    right: dict[str, bool]
    searched: bool

    def outcome(self, answer: str | None) -> float:
        """1 for a right answer; a solution that ended without one is wrong."""
        return float(answer is not None and self.right[answer])


def collect(
    problems: Sequence[dict[str, Any]], thinker: Thinker, config: QValueConfig, seed: int
) -> list[Solved]:
    """For each problem the tree of its chains and, if the config says so, a search tree. Graded on the answer."""
    prompts = [config.prompt_template.replace("{question}", problem["question"]) for problem in problems]
    plans: list[tuple[Strategy, int]] = [(Chains("majority", config.chains), 10**9)]
    if config.tree_tokens:
        plans.append((PuctSearch(None, config.branch), config.tree_tokens))
    solved = []
    for number, (strategy, tokens) in enumerate(plans):
        budget = Budget(tokens, config.max_steps, config.step_tokens, config.max_tokens)
        seeds = [derive_seed(seed, number, problem["problem_id"]) for problem in problems]
        for problem, found in zip(problems, search(strategy, prompts, thinker, budget, seeds), strict=True):
            answers = {end.node.answer for end in found.tree.ends if end.node.answer is not None}
            right = {answer: grade(problem["grader"], answer, problem) for answer in sorted(answers)}
            solved.append(Solved(problem["problem_id"], found.tree, right, searched=number > 0))
    return solved
