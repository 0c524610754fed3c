"""What a round of RL takes (`o1 plan`)."""

from __future__ import annotations

from o1_assets.core.estimate import Estimate, EstimateContext
from o1_assets.policy.config import PolicyConfig, reserve_size
from o1_assets.reward.estimate import distinct_tokens, read, searched_tokens


def estimate_policy(context: EstimateContext, config: PolicyConfig) -> Estimate:
    """Groups are sampled, some of them searched, scored by the reward models, and trained on."""
    return estimate_grpo(context, config, *config.reward.readers)


def estimate_grpo(context: EstimateContext, config: PolicyConfig, *readers: str) -> Estimate:
    """The same, with the reward models that read every group: an arm may watch one that it is not rewarded by."""
    search, solution = config.search, context.solution_tokens(config.prompt)
    # As if every reserve were used up: how many groups lack contrast is known only then.
    problems = config.batches * (config.problems_per_update + reserve_size(config))
    solutions = problems * config.group_size
    searches = -(-config.batches // search.every) if search.per_group else 0
    searched = searches * round(search.share * config.problems_per_update) * search.per_group
    # A searched solution writes `branch` candidates for each of its steps, and they are scored on the way.
    cost = context.generate("policy", (solutions - searched + searched * search.branch) * solution)
    model = context.model("policy", rl_rounds=context.model("policy").rl_rounds + 1)
    group = distinct_tokens(context, config.prompt, config.group_size, model.rl_rounds)
    cost += read(context, problems * group, *readers)
    if searched:
        tree = searched_tokens(context, config.prompt, search.branch * search.per_group, model.rl_rounds)
        cost += read(context, searched / search.per_group * tree, "prm")
    if config.early_stop.every:
        checks = 1 + config.updates // config.early_stop.every
        cost += context.generate(
            "policy", checks * config.early_stop.problems * config.early_stop.samples * solution
        )
    length = context.prompt_tokens(config.prompt) + solution
    tokens = config.batches * config.problems_per_update * config.group_size * length
    replayed = config.updates * config.replay.rows * length if config.replay.weight else 0
    cost += context.train("policy", config.objective.epochs * tokens + replayed, config)
    if config.reads_again:
        cost += context.score("policy", tokens)
    if config.replay.least_score:
        cost += read(context, replayed, "prm")
    if config.kl_coefficient or config.report_kl:  # GPT* reads what the policy is trained on
        cost += context.score("generator", tokens)
    return Estimate(problems, solutions, cost=cost, stored=model.stored, model=model)
