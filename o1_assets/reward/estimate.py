"""What the reward models take: to be trained, and to read solutions that share prefixes (`o1 plan`)."""

from __future__ import annotations

from dataclasses import replace

from o1_assets.core.artifact import Cost
from o1_assets.core.estimate import Estimate, EstimateContext, trained
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.reward.config import ORMConfig, PRMConfig, RewardModelConfig, VerifierTask
from o1_assets.reward.tree import ROW_TOKENS

# A search samples siblings and follows one of them. Of what one sample holds, this share is new in a tree of as many
# tokens, and it grows with the fourth root of the tokens: nano's beam at 64 to 2,048 tokens, and MCTS at 128.
NARROW = 0.35


# Tokens of a page of homework as a share of those that its pupils would take one by one: they share the question, and
# most write only up to their first error. Measured on nano's, 31 tokens; a single operation takes 3 tokens a pupil.
SHARED_PAGE, DRILL_TOKENS = 0.25, 3.0


def estimate_verifier(context: EstimateContext, config: VerifierTask) -> Estimate:
    """Pages of homework, each read once by the base with its new layers."""
    homework = config.verifier.homework
    base = context.model("base")
    model = replace(
        base, heads=3, shape=replace(base.shape, layers=base.shape.layers + config.verifier.new_layers)
    )
    page = homework.pupils * context.assumptions.corpus_tokens * SHARED_PAGE
    drill = homework.drill_pupils * DRILL_TOKENS
    tokens = homework.pages * (homework.drill_share * drill + (1 - homework.drill_share) * page)
    cost = trained(model, tokens, config.verifier)
    return Estimate(examples=homework.pages, cost=cost, stored=model.stored, model=model)


def estimate_prm(context: EstimateContext, config: PRMConfig) -> Estimate:
    """A rated solution is read up to its first error, with its rated alternatives."""
    rounds = list(context.starting_with("labels_").values())
    examples = sum(labels.examples for labels in rounds)
    prompt = context.prompt_tokens(config.prompt)
    pooled = prompt + sum(r.examples * r.example_tokens for r in rounds) / max(1.0, examples)
    # A batch holds a fixed share of the newest round's solutions, whose alternatives are rated more sparsely.
    drawn = pooled
    if len(rounds) > 1:
        newest = prompt + rounds[-1].example_tokens
        drawn = config.newest_share * newest + (1 - config.newest_share) * pooled
    return estimate_reward_model(context, config, examples, drawn, pooled, heads=3)


def estimate_orm(context: EstimateContext, config: ORMConfig) -> Estimate:
    """Whole solutions, at most so many of each round."""
    most = config.solutions or float("inf")
    examples = sum(min(pool.samples, most) for pool in context.starting_with("solutions_").values())
    example = context.prompt_tokens(config.prompt) + context.assumptions.solution_tokens
    return estimate_reward_model(context, config, examples, example, example, heads=2)


def estimate_reward_model(
    context: EstimateContext,
    config: RewardModelConfig,
    examples: float,
    drawn: float,
    pooled: float,
    heads: int,
) -> Estimate:
    """Updates on drawn examples, one pass over the held-out ones, and the generator's over all if it is read.

    drawn, pooled: tokens of an example of a batch, and of one of all examples.
    """
    cost = context.train("init", config.updates * config.batch_size * drawn, config)
    cost += context.score("init", examples * config.holdout * pooled)
    if config.probability_feature:
        cost += context.score("generator", examples * pooled)
    model = context.model("init", heads=heads, reads_generator=config.probability_feature)
    return Estimate(examples=examples, cost=cost, stored=model.stored, model=model)


def read(context: EstimateContext, tokens: float, *models: str) -> Cost:
    """What so many tokens cost that these reward models read: a pass of each, and one of the generator if any asks."""
    if not models:
        return Cost()
    passes = len(models) + any(context.model(name).reads_generator for name in models)
    return context.score(models[0], passes * tokens)


def distinct_tokens(context: EstimateContext, prompt: PromptFormat, samples: float, rl_rounds: int) -> float:
    """Tokens that are left of N samples of one problem when what they share stands once (`reward/tree.py`).

    rl_rounds: of RL behind the model that wrote the samples.
    """
    asked = context.prompt_tokens(prompt)
    once = asked + context.solution_tokens(prompt) * samples ** context.assumptions.novelty(rl_rounds)
    # A row has room for two of the longest solutions; each further row repeats the prompt.
    room = max(ROW_TOKENS, 2 * (asked + prompt.max_tokens))
    return once + asked * max(0.0, once / room - 1)


def searched_tokens(
    context: EstimateContext, prompt: PromptFormat, solutions: float, rl_rounds: int
) -> float:
    """The same of a tree search that wrote as many tokens as N solutions have.

    A small tree holds less than samples do, a large one as much.
    """
    asked = context.prompt_tokens(prompt)
    sampled = distinct_tokens(context, prompt, solutions, rl_rounds)
    return asked + (sampled - asked) * min(1.0, NARROW * solutions**0.25)
