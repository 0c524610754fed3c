"""rNN/prm, rNN/orm and rNN/q_value."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import Known
from o1_assets.plan.labels import rated_of_one
from o1_assets.reward.config import ORMConfig, PRMConfig, RewardModelConfig
from o1_assets.search.q_value.config import QValueConfig
from o1_assets.search.q_value.material import ROW_TOKENS


def prm(artifact: Artifact, config: PRMConfig, known: Known) -> Estimate:
    """A rated solution is read up to its first error, with its rated alternatives."""
    rounds = known.all_of(artifact, "labels_")
    examples = sum(made.examples for made in rounds)
    of_rounds = [rated_tokens(config, k, known) for k in range(len(rounds))]
    pooled = sum(n.examples * t for n, t in zip(rounds, of_rounds, strict=True)) / max(1.0, examples)
    drawn = pooled if len(rounds) == 1 else _mixed(config, of_rounds[-1], pooled)
    return trained(config, known, examples, drawn, pooled, heads=3)


def orm(artifact: Artifact, config: ORMConfig, known: Known) -> Estimate:
    """Whole solutions, so many of each round at most."""
    most = config.solutions or float("inf")
    examples = sum(min(made.samples, most) for made in known.all_of(artifact, "solutions_"))
    each = known.typical.prompt_tokens(config.prompt) + known.typical.solution_tokens
    return trained(config, known, examples, each, each, heads=2)


def q_value(artifact: Artifact, config: QValueConfig, known: Known) -> Estimate:
    """Chains and a search tree of each problem, one fit and one more for each iteration."""
    typical = known.typical
    problems = min(config.problems, known.of(artifact, "train").problems)
    made = config.chains * typical.solution_tokens + config.tree_tokens
    cost = known.generate(problems * made)
    prompt = typical.prompt_tokens(config.prompt)
    rounds = int(artifact.key[1:3]) + 1
    chains = known.distinct(prompt, config.chains, rounds, config.prompt.max_tokens)
    trees = [chains]
    if config.tree_tokens:
        solution = min(typical.solution_tokens, config.prompt.max_tokens)
        trees.append(known.searched(prompt, config.tree_tokens / solution, rounds, config.prompt.max_tokens))
    # The search is scored on the way; the generator and each fit's targets read everything.
    cost += known.score(problems * sum(trees[1:]) * known.passes(1))
    cost += known.score(problems * sum(trees) * (known.reads_generator + config.iterations + 1))
    updates = config.updates + config.iterations * config.iteration_updates
    row = sum(min(tree, ROW_TOKENS) for tree in trees) / len(trees)
    cost += known.train(updates * config.batch_size * row, config)
    return Estimate(problems, problems * config.chains, cost=cost, stored=known.checkpoint(heads=2))


def rated_tokens(config: RewardModelConfig, k: int, known: Known) -> float:
    own, alternatives = rated_of_one(k, known)
    return known.typical.prompt_tokens(config.prompt) + (own + alternatives) * known.typical.step_tokens


def _mixed(config: RewardModelConfig, newest: float, pooled: float) -> float:
    """Tokens of a drawn example: a share of each batch is from the newest round."""
    return config.newest_share * newest + (1 - config.newest_share) * pooled


def trained(
    config: RewardModelConfig, known: Known, examples: float, drawn: float, pooled: float, heads: int
) -> Estimate:
    """Updates on drawn examples; one pass over the held-out ones; the generator's over all if it is read."""
    cost = known.train(config.updates * config.batch_size * drawn, config)
    cost += known.score(examples * config.holdout * pooled)
    cost += known.score(examples * pooled) if config.probability_feature else Cost()
    return Estimate(examples=examples, cost=cost, stored=known.checkpoint(heads))
