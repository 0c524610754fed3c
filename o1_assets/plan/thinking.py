"""eval/thinking: two models, each with whole solutions and with every strategy that searches a tree."""

from __future__ import annotations

from o1_assets.artifact import Artifact
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known, rounds_of_rl
from o1_assets.thinking.config import ThinkingConfig

MODELS, TREES = 2, 6
ROW_BYTES = 12.0


def thinking(artifact: Artifact, config: ThinkingConfig, known: Known) -> Estimate:
    """At most: a search may end before its budget is spent."""
    typical = known.typical
    problems = min(config.problems, known.of(artifact, "test").problems)
    prompt = typical.prompt_tokens(config.prompt_template)
    trees = TREES * config.tree_seeds * config.tree_tokens
    written = config.samples * typical.solution_tokens + trees
    cost = known.generate(MODELS * problems * written)
    for rounds in (0, rounds_of_rl(artifact.inputs["policy"])):
        read = known.distinct(prompt, config.samples, rounds, config.max_tokens) + trees
        cost += known.score(problems * read * known.passes(1))
    stored = MODELS * (TREES + 4) * 4 * 8 * ROW_BYTES + 2 * PLOT
    return Estimate(problems, MODELS * problems * config.samples, cost=cost, stored=stored)
