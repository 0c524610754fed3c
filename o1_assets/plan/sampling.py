"""rNN/solutions and rNN/selection."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import Known, rounds_of_rl
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig


def solutions(artifact: Artifact, config: SolutionsConfig, known: Known) -> Estimate:
    """Of the newest policy, several a problem."""
    problems = min(config.problems, known.of(artifact, "train").problems)
    count = problems * config.samples
    tokens = count * min(known.typical.solution_tokens, config.prompt.max_tokens)
    stored = solutions_bytes(known, problems, config.samples, rounds_of_rl(artifact.inputs["policy"]))
    return Estimate(problems, count, examples=count, cost=known.generate(tokens), stored=stored)


def selection(artifact: Artifact, config: SelectionConfig, known: Known) -> Estimate:
    """Scored by the PRM before unless chosen uniformly; alternatives are sampled for every step of what is chosen."""
    typical, pool = known.typical, known.of(artifact, "solutions")
    chosen = min(config.solutions, pool.samples, pool.problems * config.per_problem)
    drawn = chosen * typical.steps * (config.completions - 1)
    cost = known.generate(drawn * min(typical.step_tokens, config.max_step_tokens))
    if config.strategy != "uniform":
        prompt = typical.prompt_tokens(config.prompt)
        rounds, longest = rounds_of_rl(artifact.inputs["policy"]), known.longest(artifact)
        each = known.distinct(prompt, pool.samples / pool.problems, rounds, longest)
        cost += known.score(pool.problems * each * known.passes(1))
    completions = chosen * typical.steps + drawn * typical.new_alternatives
    letters = typical.bytes_a_token * typical.step_tokens / 2
    stored = chosen * (20 + typical.bytes_a_token * typical.solution_tokens) + completions * letters + 5_000
    return Estimate(pool.problems, chosen, examples=chosen, cost=cost, stored=stored)


def solutions_bytes(
    known: Known, problems: float, samples: float, rounds: int, scores: bool = False
) -> float:
    """Of a solutions table: what is sampled twice compresses well. scores: with four of them."""
    typical = known.typical
    new = samples ** (typical.novelty(rounds) - 1) if samples else 0.0
    each = typical.solution_tokens * typical.bytes_a_token * (0.2 + 0.8 * new)
    return problems * samples * (each + (60 * new**0.5 if scores else 0)) + 4_000
