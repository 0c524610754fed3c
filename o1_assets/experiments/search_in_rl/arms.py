"""How should tree search enter the policy's training: in GRPO's groups, as expert iteration, or not at all?

All arms make the same number of updates and are given the same number of generated tokens, those of searches
included: where solutions cost more, there are fewer of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.estimate import Estimate, EstimateContext
from o1_assets.experiments.experiment import Arm, Experiment
from o1_assets.experiments.search_in_rl.expert_iteration import ExpertConfig, expert_arm
from o1_assets.experiments.variants import grpo_arm
from o1_assets.policy.config import GroupSearchConfig, PolicyConfig
from o1_assets.policy.estimate import estimate_policy
from o1_assets.reward.estimate import distinct_tokens, read, searched_tokens

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


NONE = GroupSearchConfig(share=0.0)


SOME = GroupSearchConfig(share=0.25, per_group=2, every=2, branch=4)


ALL = GroupSearchConfig(share=1.0, per_group=2, every=1, branch=4)


def search_in_rl(profile: Profile) -> Experiment:
    """The experiment for a profile's policy, from the round that the configuration says."""
    config = profile.ablations.search_in_rl
    policy = profile.policy.model_copy(
        update={"updates": config.updates, "problems_per_update": config.problems_per_update}
    )
    ways = {"none": NONE, "some_groups": SOME, "every_group": ALL}
    own = next((name for name, way in ways.items() if _same(way, profile.policy.search)), "as_today")
    if own == "as_today":
        ways["as_today"] = profile.policy.search
    says = {
        "none": "GRPO on sampled solutions only",
        "some_groups": "every second update, a quarter of the groups hold two solutions found by search",
        "every_group": "every group holds two solutions found by search",
        "as_today": "searched solutions in groups as the profile has it",
    }
    r, before = config.round, config.round - 1
    return Experiment(
        name="search_in_rl",
        title="Tree search in RL",
        question="How should tree search enter the policy's training? Equal updates, equal generated tokens.",
        arms=(
            *(
                Arm(name, says[name], grpo_arm, with_search(policy, way), estimate_policy)
                for name, way in ways.items()
            ),
            Arm(
                "expert_sampled",
                "expert iteration on sampled solutions",
                expert_arm,
                expert(profile, branch=1),
                estimate_expert,
            ),
            Arm(
                "expert",
                "expert iteration on solutions found by search",
                expert_arm,
                expert(profile, branch=4),
                estimate_expert,
            ),
        ),
        inputs={
            "policy": "generator/model" if r == 0 else f"r{before:02d}/policy",
            "generator": "generator/model",
            "prm": f"r{r:02d}/prm",
            "orm": f"r{r:02d}/orm",
            "train": "problems/train",
        },
        today=own,
    )


def with_search(policy: PolicyConfig, way: GroupSearchConfig) -> PolicyConfig:
    """`policy` with this search, and as many problems an update as cost the tokens of its own without search."""
    problems = round(policy.problems_per_update * policy.group_size / solutions_a_group(policy, way))
    return policy.model_copy(update={"search": way, "problems_per_update": max(1, problems)})


def solutions_a_group(policy: PolicyConfig, way: GroupSearchConfig) -> float:
    """What a group costs on average, in sampled solutions; a solution found with `branch` steps at each node costs
    `branch`."""
    searched = way.share / way.every * way.per_group
    return policy.group_size + searched * (way.branch - 1)


def expert(profile: Profile, branch: int) -> ExpertConfig:
    """Sees the problems that GRPO without search sees, and generates as many tokens."""
    config, policy = profile.ablations.search_in_rl, profile.policy
    return ExpertConfig(
        iterations=min(config.iterations, config.updates),
        updates=config.updates,
        problems_per_update=config.problems_per_update,
        searches=max(1, policy.group_size // branch),
        branch=branch,
        learning_rate=config.learning_rate,
        max_grad_norm=policy.max_grad_norm,
        temperature=policy.temperature,
        prompt=policy.prompt,
        max_steps=policy.max_steps,
        tuning=policy.tuning,
    )


def _same(way: GroupSearchConfig, other: GroupSearchConfig) -> bool:
    """Equal in effect: without a share nothing else matters."""
    return way == other or (way.share * way.per_group == 0 == other.share * other.per_group)


# Share of the different solutions of a problem that the reward models believe, which are kept (nano: 107 of 168
# problems' three searches each).
BELIEVED = 0.3


def estimate_expert(context: EstimateContext, config: ExpertConfig) -> Estimate:
    """Every problem is searched anew; what is believed is trained on about once, in whole batches."""
    problems, solution = config.updates * config.problems_per_update, context.solution_tokens(config.prompt)
    solutions = config.searches * config.branch
    model = context.model("policy", rl_rounds=context.model("policy").rl_rounds + 1)
    cost = context.generate("policy", problems * solutions * solution)
    tokens = searched_tokens if config.branch > 1 else distinct_tokens
    cost += read(context, problems * tokens(context, config.prompt, solutions, model.rl_rounds), "prm")
    ends = distinct_tokens(context, config.prompt, config.searches, model.rl_rounds)
    cost += read(context, problems * ends, "prm", "orm")
    different = config.searches ** context.assumptions.novelty(model.rl_rounds)
    kept = problems * min(config.per_problem, different * BELIEVED)
    rows = max(kept + config.updates / 2, config.updates)  # half of a last batch is filled up on average
    cost += context.train("policy", rows * (context.prompt_tokens(config.prompt) + solution), config)
    return Estimate(problems, problems * config.searches, cost=cost, stored=model.stored, model=model)
