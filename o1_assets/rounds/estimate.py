"""What a round's samples take, and its choice of solutions to be labelled (`o1 plan`)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from o1_assets.core.artifact import Cost
from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.reward.estimate import distinct_tokens, read, searched_tokens
from o1_assets.rounds.config import SearchConfig, SelectionConfig, SolutionsConfig
from o1_assets.search.vote import AT_ONCE

# New solutions that a search ends with, of as many as its tokens would write one by one: trees, and chains (nano).
NEW, NEW_CHAINS = 0.2, 0.6


def estimate_solutions(context: EstimateContext, config: SolutionsConfig) -> Estimate:
    """The newest policy solves each problem several times; the searches read the PRM as they go."""
    problems = min(config.problems, context["train"].problems)
    samples = problems * config.samples
    solution = context.solution_tokens(config.prompt)
    rl_rounds = context.model("policy").rl_rounds
    searches_cost, searched = searched_cost(context, config.searches, config.prompt, problems)
    return Estimate(
        problems,
        samples,
        examples=samples + searched,
        cost=context.generate("policy", samples * solution) + searches_cost,
        stored=context.solutions_bytes(problems, config.samples, rl_rounds)
        + searched * context.assumptions.solution_bytes,
    )


def searched_cost(
    context: EstimateContext, searches: Sequence[SearchConfig], prompt: PromptFormat, available: float
) -> tuple[Cost, float]:
    """What searches by `policy` and `generator` cost that read `prm`, and how many solutions they keep.

    available: problems that could be searched.
    """
    solution, cost, kept = context.solution_tokens(prompt), Cost(), 0.0
    for search in searches:
        problems, solutions = min(search.problems, available), search.tokens / solution
        chains = search.strategy == "best-of-n"
        if chains:
            # They are written in batches, and what is begun is not cut off.
            solutions = AT_ONCE * math.ceil(solutions / AT_ONCE)
        tree = searched_tokens(context, prompt, solutions, context.model(search.proposer).rl_rounds)
        cost += context.generate(search.proposer, problems * solutions * solution)
        cost += read(context, problems * tree, "prm")
        kept += problems * solutions * (NEW_CHAINS if chains else NEW)
    return cost, kept


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
    # step alone, which only wrong solutions have. A condemned solution mostly has none, so all its steps are rated.
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
