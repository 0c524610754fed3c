"""Samples held-out solutions and scores them: the table that every figure of an evaluation is read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost
from o1_assets.core.flops import flops_generate
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.reward.aggregate import right_probabilities, solution_score
from o1_assets.reward.config import SCORE_TOKENS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.core.engine import Engine
    from o1_assets.evaluation.config import SamplingConfig
    from o1_assets.reward.score import Scorer


# Columns that choose a solution; all are better when higher.
SCORES = ("prm_product", "prm_minimum", "orm", "min_logprob")

# Solutions are scored by problems, so that samples share their prefixes, some at a time, for memory.
PROBLEMS_A_CHUNK = 25


def held_out(test: pl.DataFrame, count: int) -> pl.DataFrame:
    """The same `count` problems in every round: ids are hashes, so their order is as good as random."""
    # Sorted, because the order of a table is no promise of its source.
    return test.sort("problem_id").head(count)


def sample(
    engine: Engine, problems: pl.DataFrame, config: SamplingConfig, seed: int, greedy: bool = False
) -> tuple[pl.DataFrame, Cost]:
    """A solutions table: `samples` of each problem at the temperature of the config, or one greedy one."""
    from o1_assets.core.engine import SamplingParams
    from o1_assets.problems.solutions import sample_solutions

    solutions = sample_solutions(
        engine,
        problems,
        n=1 if greedy else config.samples,
        params=SamplingParams(config.prompt.max_tokens, 0.0 if greedy else config.temperature),
        seed=seed,
        prompt=config.prompt,
    )
    tokens = int(solutions["token_ids"].list.len().sum())
    return solutions, Cost(flops_generate(engine.parameters, tokens), tokens_generated=tokens)


def prompts_of(engine: Engine, problems: pl.DataFrame, prompt: PromptFormat) -> dict[str, list[int]]:
    """problem_id -> token ids of its prompt, exactly as the sampler makes them."""
    encoded = prompt.encode(engine.tokenizer, problems["question"].to_list())
    return dict(zip(problems["problem_id"].to_list(), encoded, strict=True))


def add_scores(
    solutions: pl.DataFrame,
    prompts: dict[str, list[int]],
    scorer: Scorer,
    generator: PreTrainedModel,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[pl.DataFrame, Cost]:
    """With the columns of SCORES and p_right, list[f64]: the PRM's P(right) of each step."""
    before, cost = scorer.cost(), Cost()
    columns: dict[str, list[Any]] = {name: [] for name in ("p_right", *SCORES)}
    chunk = PROBLEMS_A_CHUNK * max(1, solutions.height // max(1, solutions["problem_id"].n_unique()))
    for start in range(0, solutions.height, chunk):
        part = solutions.slice(start, chunk)
        prompt = [prompts[problem] for problem in part["problem_id"]]
        completion = part["token_ids"].to_list()
        steps, outcomes = scorer.score_both(prompt, completion)
        minima, scored = least_likely_tokens(
            generator, scorer.tokenizer, prompt, completion, scorer.batch_tokens
        )
        cost += scored
        columns["p_right"] += [right_probabilities(s).tolist() for s in steps]
        columns["prm_product"] += [solution_score(s, "product") for s in steps]
        columns["prm_minimum"] += [solution_score(s, "minimum") for s in steps]
        columns["orm"] += outcomes
        columns["min_logprob"] += minima
        progress(f"scored {min(start + chunk, solutions.height)} of {solutions.height} solutions")
    cost += scorer.cost_since(before)
    types = {"p_right": pl.List(pl.Float64)}
    made = [pl.Series(name, values, dtype=types.get(name, pl.Float64)) for name, values in columns.items()]
    return solutions.with_columns(made), cost


def least_likely_tokens(
    generator: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    batch_tokens: int = SCORE_TOKENS,
) -> tuple[list[float], Cost]:
    """The lowest log-probability of any token of a solution's steps under the generator: no training at all.

    -inf for a solution without a step. What every reward model has to beat.
    """
    from o1_assets.engine.steps import step_ends
    from o1_assets.reward.read import pack_sequences, reading_cost
    from o1_assets.reward.tree import StepSequence

    sequences = []
    for prompt, completion in zip(prompts, completions, strict=True):
        ends = tuple(len(prompt) + end for end in step_ends(completion, tokenizer))
        # What follows the last step's end, an end token or a step that was cut off, is not read.
        length = ends[-1] + 1 if ends else len(prompt)
        sequences.append(StepSequence((*prompt, *completion)[:length], len(prompt), ends))
    packed = pack_sequences(sequences, generator, batch_tokens)
    assert packed.features is not None
    of_steps = packed.at_step_ends(packed.features)
    minima = [float(np.min(steps)) if len(steps) else float("-inf") for steps in of_steps]
    return minima, reading_cost(generator, packed.tokens)
