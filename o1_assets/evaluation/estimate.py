"""What evaluations take: of every round, of the headline models, and of all rounds together (`o1 plan`)."""

from __future__ import annotations

from o1_assets.core.estimate import CHART, ROW, TABLES, Estimate, EstimateContext
from o1_assets.evaluation.config import RoundEvalConfig, SummaryConfig
from o1_assets.reward.estimate import distinct_tokens, read

# A solution in a table of its own has four scores and its answer; a curve's JSON and table are of this size a seed.
SCORED_ROW, CURVE = 60.0, 7_000.0


def estimate_round_eval(context: EstimateContext, config: RoundEvalConfig) -> Estimate:
    """Many samples and one greedy solution a problem, scored by both reward models and by the generator alone."""
    assumed, rl_rounds = context.assumptions, context.model("policy").rl_rounds
    problems = min(config.problems, context["test"].problems)
    samples = config.samples * config.seeds
    cost = context.generate("policy", problems * (samples + 1) * context.solution_tokens(config.prompt))
    tokens = problems * distinct_tokens(context, config.prompt, samples, rl_rounds)
    cost += read(context, tokens, "prm", "orm") + context.score("generator", tokens)
    # Equal solutions have equal scores, so that the columns of scores compress too, though less than the text does.
    scores = problems * samples * SCORED_ROW * samples ** ((assumed.novelty(rl_rounds) - 1) / 2)
    steps = problems * min(config.step_samples, config.samples) * assumed.steps * ROW
    stored = context.solutions_bytes(problems, samples, rl_rounds) + scores + steps
    return Estimate(
        problems, problems * samples, cost=cost, stored=stored + config.seeds * CURVE + TABLES + CHART
    )


def estimate_summary(context: EstimateContext, config: SummaryConfig) -> Estimate:
    """Every PRM reads one pool with solutions of every round."""
    assumed = context.assumptions
    evals, prms = list(context.starting_with("eval_").values()), list(context.starting_with("prm_"))
    problems = evals[0].problems
    pool = sum(min(config.pool_solutions, rounds.samples) for rounds in evals)
    tokens = problems * distinct_tokens(context, config.prompt, pool / problems, rl_rounds=1)
    # Each solution has a score and its steps' chances, of every PRM, as four bytes each.
    row = assumed.solution_bytes + len(prms) * 4 * (1 + assumed.steps)
    cost = sum((read(context, tokens, prm) for prm in prms), Estimate().cost)
    return Estimate(problems, pool, cost=cost, stored=pool * row + 4 * CHART + 3 * TABLES)
