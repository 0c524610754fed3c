"""What the Q-value model takes (`o1 plan`)."""

from __future__ import annotations

from o1_assets.core.estimate import Estimate, EstimateContext
from o1_assets.reward.estimate import distinct_tokens, read, searched_tokens
from o1_assets.reward.tree import ROW_TOKENS
from o1_assets.search.q_value.config import QValueConfig


def estimate_q_value(context: EstimateContext, config: QValueConfig) -> Estimate:
    """Chains and a search tree of each problem, one fit, and one more for each iteration."""
    problems = min(config.problems, context["train"].problems)
    written = config.chains * context.assumptions.solution_tokens + config.tree_tokens
    cost = context.generate("policy", problems * written)
    rl_rounds = context.model("policy").rl_rounds
    trees = [distinct_tokens(context, config.prompt, config.chains, rl_rounds)]
    if config.tree_tokens:
        solutions = config.tree_tokens / context.solution_tokens(config.prompt)
        trees.append(searched_tokens(context, config.prompt, solutions, rl_rounds))
    # The PRM scores the search as it goes; the generator, and the targets of each fit, read chains and trees whole.
    model = context.model("init", heads=2)
    passes = model.reads_generator + config.iterations + 1
    cost += read(context, problems * sum(trees[1:]), "prm")
    cost += context.score("init", problems * sum(trees) * passes)
    updates = config.updates + config.iterations * config.iteration_updates
    row = sum(min(tree, ROW_TOKENS) for tree in trees) / len(trees)
    cost += context.train("init", updates * config.batch_size * row, config)
    return Estimate(problems, problems * config.chains, cost=cost, stored=model.stored, model=model)
