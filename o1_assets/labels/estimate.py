"""What a round's labels take: how many completions are rated, by whom, and what machines spend on it (`o1 plan`)."""

from __future__ import annotations

import math
from dataclasses import replace

from o1_assets.core.artifact import Cost
from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.labels.config import (
    JudgeConfig,
    LabelBatchesConfig,
    LabelsConfig,
    MonteCarloConfig,
    machine_of,
)
from o1_assets.labels.imported.source import ImportedConfig

# PRM800K has 75,000 solutions with 800,000 labels, one in twenty of them of phase 1 and the rest of ten generations
# (Lightman et al. 2023, sections 1 and 2.4). That a quarter of the labels are of alternatives is an assumption.
PUBLISHED_SOLUTIONS, PUBLISHED_LABELS, PUBLISHED_ALTERNATIVES = 75_000, 800_000, 0.25
PHASE_1_SHARE, PHASE_2_ROUNDS = 0.05, 10


# Assumed: a step takes as long to write as this many take to rate.
WRITING = 5

# Tokens of a judge's built-in prompt, and of what it writes about a step (assumed: a short sentence in JSON).
PROMPT, REASON = 330, 40


def estimate_imported(context: EstimateContext, config: ImportedConfig) -> Estimate:
    """The selection of a round that others labelled. Held-out problems are few and not left out here."""
    share = PHASE_1_SHARE if config.round == "r00" else (1 - PHASE_1_SHARE) / PHASE_2_ROUNDS
    solutions, labels = PUBLISHED_SOLUTIONS * share, PUBLISHED_LABELS / PUBLISHED_SOLUTIONS
    return Estimate(
        samples=solutions,
        examples=solutions,
        stored=solutions * 2 * context.assumptions.solution_bytes,
        rated_steps=labels * (1 - PUBLISHED_ALTERNATIVES),
        rated_alternatives=labels * PUBLISHED_ALTERNATIVES,
    )


def estimate_label_batches(context: EstimateContext, config: LabelBatchesConfig) -> Estimate:
    """People rate the round's selection; a machine may sample rollouts; the exact checker costs nothing."""
    selection = context["selection"]
    labels = selection.samples * (selection.rated_steps + selection.rated_alternatives)
    cost = Cost()
    if machine_of(config.annotator) == "monte_carlo" and config.source is None:
        cost = _rollouts(context, config.monte_carlo or MonteCarloConfig())
    made = Estimate(
        samples=selection.samples,
        cost=cost,
        asked=labels + WRITING * _written_steps(context) if config.waits_for_people else 0.0,
        stored=2 * TABLES + ROW * labels + selection.samples * context.assumptions.solution_bytes,
    )
    if config.judge is None or config.source is not None:
        return made
    return _with_questions(made, context, config.judge)


def estimate_labels(context: EstimateContext, config: LabelsConfig) -> Estimate:
    """One row a rating, with the text of the completion; each solution is an example for the PRM."""
    selection, assumed = context["selection"], context.assumptions
    ratings = selection.rated_steps + selection.rated_alternatives
    labels, tokens = selection.samples * ratings, ratings * assumed.step_tokens
    text = selection.samples * (tokens + assumed.solution_tokens) * assumed.bytes_a_token / 2
    return Estimate(
        examples=selection.samples,
        labels=labels,
        stored=2 * TABLES + text + ROW * labels,
        example_tokens=tokens,
    )


def _written_steps(context: EstimateContext) -> float:
    """At most so many steps are written in the round: an error stands in the middle of a solution on average."""
    config, selection = context.config("selection"), context["selection"]
    writing = getattr(config, "written_steps", "none")  # an imported selection has no such setting
    if writing == "none":
        return 0.0
    return min(config.most_written, selection.samples) * (
        1.0 if writing == "step" else context.assumptions.steps / 2
    )


def _with_questions(made: Estimate, context: EstimateContext, config: JudgeConfig) -> Estimate:
    """One question for a solution's own steps, one for each alternative that is rated."""
    selection, assumed = context["selection"], context.assumptions
    alternatives = selection.samples * selection.rated_alternatives
    questions, problem = selection.samples + alternatives, PROMPT + assumed.question_tokens
    # An alternative is asked after half of its solution on average.
    solutions = assumed.solution_tokens * (selection.samples + alternatives / 2)
    rated = selection.samples * (selection.rated_steps + selection.rated_alternatives)
    return replace(
        made,
        questions=config.votes * questions,
        judge_reads=config.votes * (questions * problem + solutions),
        judge_writes=config.votes * rated * REASON,
    )


def _rollouts(context: EstimateContext, config: MonteCarloConfig) -> Cost:
    """Rollouts from each rated completion."""
    selection, assumed = context["selection"], context.assumptions
    steps = selection.rated_steps
    if config.estimate == "first_error":
        # OmegaPRM finds the first error of a wrong solution by binary search over its steps.
        steps = context.config("selection").wrong_share * math.log2(max(2.0, assumed.steps))
    rollouts = selection.samples * config.rollouts * (steps + selection.rated_alternatives)
    # A rollout starts half-way through a solution on average.
    return context.generate("policy", rollouts * min(assumed.solution_tokens / 2, config.prompt.max_tokens))
