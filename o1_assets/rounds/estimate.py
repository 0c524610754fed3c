"""What a round's samples take, and its choice of solutions to be labelled (`o1 plan`)."""

from __future__ import annotations

from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.reward.estimate import distinct_tokens, read, searched_tokens
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig

# New solutions that end in a search tree, of as many as its tokens would write one by one (nano).
NEW = 0.2


def estimate_solutions(context: EstimateContext, config: SolutionsConfig) -> Estimate:
    """The newest policy solves each problem several times; the searches read the PRM as they go."""
    problems = min(config.problems, context["train"].problems)
    samples = problems * config.samples
    solution = context.solution_tokens(config.prompt)
    rl_rounds = context.model("policy").rl_rounds
    cost = context.generate("policy", samples * solution)
    searched = 0.0
    for search in config.searches:
        times = min(search.problems, problems)
        cost += context.generate(search.proposer, times * search.tokens)
        tree = searched_tokens(
            context, config.prompt, search.tokens / solution, rl_rounds if search.proposer == "policy" else 0
        )
        cost += read(context, times * tree, "prm")
        # A tree has some such share of ended solutions that are new.
        searched += times * min(search.kept, NEW * search.tokens / solution)
    return Estimate(
        problems,
        samples,
        examples=samples + searched,
        cost=cost,
        stored=context.solutions_bytes(problems, config.samples, rl_rounds)
        + searched * context.assumptions.solution_bytes,
    )


def estimate_selection(context: EstimateContext, config: SelectionConfig) -> Estimate:
    """Scored by the PRM before unless chosen uniformly; alternatives are sampled for every step of what is chosen."""
    assumed, pool = context.assumptions, context["solutions"]
    chosen = min(config.solutions, pool.samples, pool.problems * config.per_problem)
    drawn = config.completions - 1
    alternatives = chosen * assumed.steps * drawn
    cost = context.generate("policy", alternatives * min(assumed.step_tokens, config.max_step_tokens))
    uniform = config.strategy == "uniform"
    if not uniform:
        rl_rounds = context.model("policy").rl_rounds
        tree = distinct_tokens(context, config.prompt, pool.samples_each, rl_rounds)
        searched = (pool.examples - pool.samples) * assumed.solution_tokens
        cost += read(context, pool.problems * tree + searched, "prm")
    completions = chosen * assumed.steps + alternatives * assumed.new_alternatives
    text = completions * assumed.step_tokens * assumed.bytes_a_token / 2
    # Phase 1 rates densely, the alternatives of every rated step. Phase 2 rates sparsely: those of the first wrong
    # step alone, which only wrong solutions have.
    # And all steps of a condemned solution, which mostly has no wrong one.
    condemned = config.condemned_share
    rated_share = (1 - condemned) * assumed.rated_later + condemned
    rated = assumed.steps * (assumed.rated_first if uniform else rated_share)
    rated_places = rated if uniform else (1 - condemned) * config.wrong_share
    return Estimate(
        pool.problems,
        chosen,
        examples=chosen,
        cost=cost,
        stored=TABLES + chosen * (3 * ROW + assumed.solution_bytes) + text,
        rated_steps=rated,
        rated_alternatives=rated_places * drawn * assumed.new_alternatives,
    )
