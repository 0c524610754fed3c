"""What a round's samples take, and its choice of solutions to be labelled (`o1 plan`)."""

from __future__ import annotations

from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.reward.estimate import distinct_tokens, read
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig


def estimate_solutions(context: EstimateContext, config: SolutionsConfig) -> Estimate:
    """The newest policy solves each problem several times."""
    problems = min(config.problems, context["train"].problems)
    samples = problems * config.samples
    return Estimate(
        problems,
        samples,
        examples=samples,
        cost=context.generate("policy", samples * context.solution_tokens(config.prompt)),
        stored=context.solutions_bytes(problems, config.samples, context.model("policy").rl_rounds),
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
        cost += read(context, pool.problems * tree, "prm")
    completions = chosen * assumed.steps + alternatives * assumed.new_alternatives
    text = completions * assumed.step_tokens * assumed.bytes_a_token / 2
    # Phase 1 rates densely, the alternatives of every rated step. Phase 2 rates sparsely: those of the first wrong
    # step alone, which only wrong solutions have.
    rated = assumed.steps * (assumed.rated_first if uniform else assumed.rated_later)
    rated_places = rated if uniform else config.wrong_share
    return Estimate(
        pool.problems,
        chosen,
        examples=chosen,
        cost=cost,
        stored=TABLES + chosen * (3 * ROW + assumed.solution_bytes) + text,
        rated_steps=rated,
        rated_alternatives=rated_places * drawn * assumed.new_alternatives,
    )
