"""rNN/label_batches and rNN/labels: how many completions are rated, by whom, and what machines spend on it."""

from __future__ import annotations

import math

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig, MonteCarloConfig
from o1_assets.labels.prm800k.source import ImportedConfig
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import Known


def batches(artifact: Artifact, config: LabelBatchesConfig, known: Known) -> Estimate:
    """People rate the round's selection and, once each, the screening solutions; a machine samples rollouts."""
    chosen = known.of(artifact, "selection").samples
    labels = chosen * ratings_of_one(_number(config), known)
    asked = labels if config.annotator == "human" and config.source is None else 0.0
    cost = Cost()
    if config.annotator == "monte_carlo" and config.source is None:
        cost = known.generate(chosen * _rollouts(config, known) * _rollout_tokens(config, known))
    stored = 8_000 + 6 * labels + chosen * known.typical.solution_tokens * known.typical.bytes_a_token
    return Estimate(samples=chosen, cost=cost, asked=asked, stored=stored)


def labels(artifact: Artifact, config: LabelsConfig, known: Known) -> Estimate:
    """One row a rating."""
    chosen = known.of(artifact, "selection").samples
    count = chosen * ratings_of_one(_number(config), known)
    letters = known.typical.bytes_a_token * (
        known.typical.step_tokens * count + known.typical.solution_tokens * chosen
    )
    return Estimate(examples=chosen, labels=count, stored=6_000 + letters / 2 + 6 * count)


def published(artifact: Artifact, config: ImportedConfig, known: Known) -> Estimate:
    """A round of an imported source. PRM800K has 75,000 solutions with 800,000 labels, one in twenty of them of phase 1
    and the rest of ten generations (Lightman et al. 2023, sections 1 and 2.4); held-out problems are fewer."""
    share = PHASE_1_SHARE if config.round == "r00" else (1 - PHASE_1_SHARE) / PHASE_2_ROUNDS
    chosen = PUBLISHED_SOLUTIONS * share
    letters = known.typical.bytes_a_token * known.typical.solution_tokens
    return Estimate(samples=chosen, examples=chosen, stored=chosen * 2 * letters)


PUBLISHED_SOLUTIONS, PUBLISHED_LABELS = 75_000, 800_000


PHASE_1_SHARE, PHASE_2_ROUNDS = 0.05, 10


PUBLISHED_ALTERNATIVES = 0.25
"""Share of PRM800K's labels that are of alternatives. An assumption."""


def ratings_of_one(k: int, known: Known) -> float:
    """Ratings of one solution of round k, alternatives included."""
    return sum(rated_of_one(k, known))


def rated_of_one(k: int, known: Known) -> tuple[float, float]:
    """Own steps, up to the first negative one, and alternatives of one solution of round k that are rated.

    Uniform choice is rated densely: the alternatives of each of these steps. Else sparsely: of the negative one, which
    the wrong solutions have.
    """
    source = known.profile.label_source
    if source is not None and source.drives(k):
        labels = PUBLISHED_LABELS / PUBLISHED_SOLUTIONS
        return labels * (1 - PUBLISHED_ALTERNATIVES), labels * PUBLISHED_ALTERNATIVES
    typical, selection = known.typical, known.profile.selection(k)
    drawn = selection.completions - 1
    if selection.strategy == "uniform":
        own = typical.steps * typical.rated_first
        return own, own * drawn * typical.new_alternatives
    own = typical.steps * typical.rated_later
    return own, selection.wrong_share * drawn * typical.new_alternatives


def _rollouts(config: LabelBatchesConfig, known: Known) -> float:
    """Rollouts a solution. first_error: a binary search on the own steps of a wrong solution, and each alternative."""
    carlo = config.monte_carlo or MonteCarloConfig()
    own, alternatives = rated_of_one(_number(config), known)
    if carlo.estimate == "first_error":
        own = known.profile.selection(_number(config)).wrong_share * math.log2(max(2.0, known.typical.steps))
    return carlo.rollouts * (own + alternatives)


def _rollout_tokens(config: LabelBatchesConfig, known: Known) -> float:
    """A rollout starts half-way on average."""
    longest = (config.monte_carlo or MonteCarloConfig()).prompt.max_tokens
    return min(known.typical.solution_tokens / 2, longest)


def _number(config: LabelBatchesConfig | LabelsConfig) -> int:
    return int(config.round[1:])
