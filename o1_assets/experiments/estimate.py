"""What judging the arms of an experiment takes (`o1 plan`). Arms that are stages are estimated as these stages are."""

from __future__ import annotations

from typing import Any

from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.reward.estimate import distinct_tokens, read

MEASURES = 4


def estimate_judged(context: EstimateContext, config: Any) -> Estimate:
    """Every training of every arm samples, and writes one greedy solution a problem; three models read all of it.

    The three are both reward models and the generator. config: with the arms, how often each is trained, and how they
    are judged.
    """
    judge, trainings = config.judge, len(config.arms) * config.seeds
    problems = trainings * min(judge.problems, context["test"].problems)
    cost = context.generate(
        "generator", problems * (judge.samples + 1) * context.solution_tokens(judge.prompt)
    )
    rl_rounds = context.model("prm").rl_rounds + 1
    tokens = problems * distinct_tokens(context, judge.prompt, judge.samples, rl_rounds)
    cost += read(context, tokens, "prm", "orm") + context.score("generator", tokens)
    stored = MEASURES * (CHART + problems) + 3 * TABLES
    return Estimate(problems / trainings, problems * judge.samples, cost=cost, stored=stored)


def estimate_tables(context: EstimateContext, config: Any) -> Estimate:
    """A result that reads tables and opens no model: charts and a document."""
    return Estimate(stored=4 * CHART + 4 * TABLES)
