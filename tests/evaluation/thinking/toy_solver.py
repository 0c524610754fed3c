"""A solver whose policy is a table, and whose problems are all "q" with the answer 3."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.evaluation.thinking.solver import Solver
from o1_assets.search.run import SearchModels
from tests.search.test_strategies import Judge
from tests.search.toy import TablePolicy


def answer_of(step: str) -> str | None:
    return step.removeprefix("answer ").strip() if step.startswith("answer ") else None


def toy_solver(table: dict[str, dict[str, float]], right: str, problems: int = 3, **config: Any) -> Solver:
    """right: the solution that the PRM believes. P = 1 for the policy, no FLOPs for the judges."""
    policy, judge = TablePolicy(table), Judge(right)
    rows = [{"problem_id": str(i), "question": "q", "answer": "3", "grader": "math"} for i in range(problems)]
    backbone = SimpleNamespace(
        get_input_embeddings=lambda: None, get_output_embeddings=lambda: None, named_parameters=lambda: []
    )
    scorer = SimpleNamespace(model=lambda classes: SimpleNamespace(backbone=backbone), generator=None)
    thinker = SearchModels(policy, judge, judge, answer_of=answer_of, answer_start="answer ")
    sizes = {"max_steps": 16, "tree_seeds": 2, "subsets": 20, **config}
    return Solver("toy", rows, ThinkingConfig(**sizes), 0, policy, cast(Any, scorer), thinker)
