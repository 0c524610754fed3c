"""One model with every strategy and budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from o1_assets.artifact import Cost, Task
from o1_assets.flops import flops_generate, flops_score, non_embedding_parameters
from o1_assets.problems.grading import grade
from o1_assets.search.interface import Budget, Found, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.run import Thinker, search
from o1_assets.search.strategies import STRATEGIES
from o1_assets.search.vote import Chains
from o1_assets.seeds import derive_seed
from o1_assets.thinking.config import ThinkingConfig
from o1_assets.thinking.points import Point, sampled_points, tree_points

TREES: Mapping[str, Strategy] = {
    **{name: STRATEGIES[name].make(Budget(0)) for name in ("beam", "dvts", "mcts", "astar", "adaptive")},
    "mcts, Q-value": PuctSearch(simulations=None, choice="weighted", reads="q"),
}
UNLIMITED = 10**9


@dataclass(frozen=True)
class Measured:
    """flops: of each point, a problem, reward models included."""

    points: list[Point]
    flops: list[float]
    cost: Cost


def measure(task: Task, model: str, problems: Sequence[dict[str, Any]], config: ThinkingConfig) -> Measured:
    """model: the input to open. Further inputs: prm, q_value, generator."""
    from o1_assets.problems.answers import extract_answer
    from o1_assets.reward.score import load_scorer

    engine = task.open_engine(task.inputs[model])
    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"], orm=task.inputs["q_value"])
    thinker = Thinker(
        engine,
        scorer,
        scorer,
        answer_of=lambda step: extract_answer(step, config.answer_prefix),
        answer_start=config.answer_prefix + " ",
        temperature=config.temperature,
    )
    prompts = [config.prompt_template.replace("{question}", problem["question"]) for problem in problems]
    generated = 0

    def think(strategy: Strategy, tokens: int, *purpose: object) -> list[Found]:
        nonlocal generated
        budget = Budget(tokens, config.max_steps, config.step_tokens, config.max_tokens)
        seeds = [derive_seed(task.seed, model, *purpose, problem["problem_id"]) for problem in problems]
        found = search(strategy, prompts, thinker, budget, seeds)
        generated += sum(one.tree.tokens_generated for one in found)
        return found

    task.progress(f"{model}: {config.samples} solutions of each of {len(problems)} problems")
    chains = think(Chains("weighted", config.samples), UNLIMITED, "chains")
    right = [_verdicts(problem, [one]) for problem, one in zip(problems, chains, strict=True)]
    points = sampled_points(chains, right, config.subsets, derive_seed(task.seed, model, "subsets"))
    for label, strategy in TREES.items():
        task.progress(f"{model}: {label}, {config.tree_tokens} tokens, {config.tree_seeds} seeds")
        searches = [think(strategy, config.tree_tokens, label, s) for s in range(config.tree_seeds)]
        right = [_verdicts(problem, [found[i] for found in searches]) for i, problem in enumerate(problems)]
        points += tree_points(label, strategy, searches, right, config.tree_tokens)
    engine.close()
    cost = scorer.cost() + Cost(flops_generate(engine.parameters, generated), tokens_generated=generated)

    readers = [scorer.model(3).backbone, *([scorer.generator] if scorer.generator is not None else [])]
    read = sum(non_embedding_parameters(reader) for reader in readers)
    values = read + non_embedding_parameters(scorer.model(2).backbone)
    flops = [
        flops_generate(engine.parameters, float(point.generated.mean()))
        + flops_score(values if _reads_values(point.strategy) else read, float(point.scored.mean()))
        for point in points
    ]
    return Measured(points, flops, cost)


def _reads_values(strategy: str) -> bool:
    return strategy in TREES and TREES[strategy].reads == "q"


def _verdicts(problem: dict[str, Any], found: Sequence[Found]) -> dict[str, bool]:
    """Each answer that any search of the problem found, and whether it is right."""
    answers = {end.node.answer for one in found for end in one.tree.ends if end.node.answer is not None}
    return {answer: grade(problem["grader"], answer, problem) for answer in sorted(answers)}
