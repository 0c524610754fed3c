"""rNN/policy: groups sampled, some of them searched, scored by both reward models, trained on once."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known, rounds_of_rl
from o1_assets.policy.config import PolicyConfig


def policy(artifact: Artifact, config: PolicyConfig, known: Known) -> Estimate:
    """A searched solution writes `branch` times its own tokens and has them scored on the way. Arms too."""
    typical, search = known.typical, config.search
    problems = config.updates * config.problems_per_update
    solutions = problems * config.group_size
    each = min(typical.solution_tokens, config.prompt.max_tokens)
    prompt = typical.prompt_tokens(config.prompt)
    searches = -(-config.updates // search.every) if search.per_group else 0
    searched = searches * round(search.share * config.problems_per_update) * search.per_group
    cost = known.generate((solutions - searched) * each + searched * each * search.branch)
    passes = known.passes(1 if config.reward.form in ("outcome", "process") else 2)
    rounds = rounds_of_rl(artifact.inputs["policy"]) + 1
    cost += known.score(
        problems * known.distinct(prompt, config.group_size, rounds, config.prompt.max_tokens) * passes
    )
    if searched:  # those of one problem share what they have in common
        tree = known.searched(prompt, search.branch * search.per_group, rounds, config.prompt.max_tokens)
        cost += known.score(searched / search.per_group * tree * known.passes(1))
    read = solutions * (prompt + each)
    cost += known.train(read, config)
    if config.kl_coefficient:
        cost += known.score(read)
    return Estimate(problems, solutions, cost=cost, stored=known.checkpoint() + 4 * PLOT)
