"""How should tree search enter the policy's training: in GRPO's groups, as expert iteration, or not at all?

All arms make the same number of updates and are given the same number of generated tokens, those of searches
included: where solutions cost more, there are fewer of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact, Compute, Estimator, StageConfig
from o1_assets.core.estimate import Estimate, EstimateContext
from o1_assets.experiments.arms import compared_arms
from o1_assets.experiments.experiment import Arm, ablation
from o1_assets.experiments.measure import Made, policy_arm
from o1_assets.experiments.search_in_rl.expert_iteration import ExpertConfig, make_expert_policy
from o1_assets.experiments.variants import PART
from o1_assets.policy.config import GroupSearchConfig, PolicyConfig, ReplayConfig, ResamplingConfig
from o1_assets.policy.estimate import estimate_policy
from o1_assets.policy.train import make_policy
from o1_assets.reward.estimate import distinct_tokens, read, searched_tokens

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/search_in_rl"
TITLE = "Tree search in RL"
QUESTION = "How should tree search enter the policy's training? Equal updates, equal generated tokens."

# Arm -> search in GRPO's groups.
SEARCHES = {
    "none": GroupSearchConfig(share=0.0),
    "some_groups": GroupSearchConfig(share=0.25, per_group=2, every=2, branch=4),
    "every_group": GroupSearchConfig(share=1.0, per_group=2, every=1, branch=4),
}

SAYS = {
    "none": "GRPO on sampled solutions only",
    "some_groups": "every second update, a quarter of the groups hold two solutions found by search",
    "every_group": "every group holds two solutions found by search",
    "as_today": "searched solutions in groups as the profile has it",
    "expert_sampled": "expert iteration on sampled solutions",
    "expert": "expert iteration on solutions found by search",
}


def artifacts(profile: Profile) -> list[Artifact]:
    """Equal seeds of different arms draw the same problems in the same order."""
    config = profile.ablations.search_in_rl
    k, seeds = config.round, profile.ablations.seeds
    models = {
        "policy": f"r{k - 1:02d}/policy" if k else "generator/model",
        "generator": "generator/model",
        "prm": f"r{k:02d}/prm",
        "orm": f"r{k:02d}/orm",
        "train": "problems/train",
    }

    def arm(name: str, compute: Compute, arm_config: StageConfig, estimate: Estimator) -> Arm:
        def make(seed: int) -> Made:
            policy = ablation(
                profile,
                f"{GROUP}/{name}_{seed}",
                compute,
                arm_config,
                models,
                f"{TITLE}: {SAYS[name]}, training {seed + 1} of {seeds}.",
                seed_of=f"{GROUP}/{seed}",
                trains=True,
                estimate=estimate,
            )
            return [policy], policy.key

        return policy_arm(profile, GROUP, name, SAYS[name], models, make)

    # The arm without search sets the number of tokens; the others have fewer problems (`with_search`).
    policy = profile.policy.model_copy(
        update={
            "updates": config.updates,
            "problems_per_update": config.problems_per_update,
            "replay": ReplayConfig(),
            # A reserve would write more in the arms that have groups, and the arms are given equal tokens.
            "resampling": ResamplingConfig(),
        }
    )
    searches, today = searches_of(profile.policy.search)
    arms = (
        *(
            arm(name, make_policy, with_search(policy, search), estimate_policy)
            for name, search in searches.items()
        ),
        arm("expert_sampled", make_expert_policy, expert(profile, branch=1), estimate_expert),
        arm("expert", make_expert_policy, expert(profile, branch=4), estimate_expert),
    )
    return compared_arms(profile, "search_in_rl", TITLE, QUESTION, arms, today)


def searches_of(today: GroupSearchConfig) -> tuple[dict[str, GroupSearchConfig], str]:
    """Arm -> search in the groups, and the name of the arm that is as the profile's policy has it, which becomes an arm
    of its own where it is none of ours."""
    # The report says whether the profile's own setting is still the one to recommend.
    for name, search in SEARCHES.items():
        if _same(search, today):
            return SEARCHES, name
    return {**SEARCHES, "as_today": today}, "as_today"


def with_search(policy: PolicyConfig, search: GroupSearchConfig) -> PolicyConfig:
    """`policy` with this search, and as many problems an update as cost the tokens of its own without search."""
    problems = round(policy.problems_per_update * policy.group_size / solutions_a_group(policy, search))
    return policy.model_copy(update={"search": search, "problems_per_update": max(1, problems)})


def solutions_a_group(policy: PolicyConfig, search: GroupSearchConfig) -> float:
    """What a group costs on average, in sampled solutions; a solution found with `branch` steps at each node costs
    `branch`."""
    searched = search.share / search.every * search.per_group
    return policy.group_size + searched * (search.branch - 1)


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


def _same(search: GroupSearchConfig, other: GroupSearchConfig) -> bool:
    """Equal in effect: without a share nothing else matters."""
    return search == other or (search.share * search.per_group == 0 == other.share * other.per_group)


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
    accepted = problems * min(config.per_problem, different * BELIEVED)
    rows = max(accepted + config.updates / 2, config.updates)  # half of a last batch is filled up on average
    cost += context.train("policy", rows * (context.prompt_tokens(config.prompt) + solution), config)
    return Estimate(problems, problems * config.searches, cost=cost, stored=model.stored, model=model)
