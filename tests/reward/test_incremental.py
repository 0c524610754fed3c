"""A tree scorer gives the scores of a scorer, and reads no token of the tree twice."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from o1_assets.reward.incremental import TreeScorer
from o1_assets.reward.score import Scorer, load_scorer
from o1_assets.reward.tree import ROW_TOKENS
from tests.reward.conftest import random_step

PROMPTS = ["Calculate 3 * 4 - 5.\n", "Calculate 1 + 2.\n"]


@pytest.fixture(scope="module", params=[True, False], ids=["with the feature", "without"])
def scorer(request: pytest.FixtureRequest, generator: Path, tmp_path_factory: Any) -> Scorer:
    import torch

    from o1_assets.reward.config import PRMConfig
    from o1_assets.reward.model import PRM_CLASSES, save_reward_model, start_reward_model

    torch.manual_seed(1)
    edges = PRMConfig().probability_edges if request.param else None
    model = start_reward_model(generator, PRM_CLASSES, edges)
    with torch.no_grad():
        model.backbone.score.weight.normal_(std=0.5)  # steeper, float32 alone makes differences of 1e-5
        if model.feature is not None:
            model.feature.weight.normal_()
    folder = tmp_path_factory.mktemp("prm")
    save_reward_model(model, generator, folder)
    return load_scorer(folder, generator)


def grown(
    tokenizer: Any, seed: int, rounds: int, branch: int = 3
) -> list[tuple[list[list[int]], list[list[int]]]]:
    """The calls of a search: in each round every node of the last one has `branch` next steps."""
    rng = Random(seed)
    level = [(p, "") for p in range(len(PROMPTS))]
    calls = []
    for _ in range(rounds):
        level = [
            (p, f"{text}{random_step(rng)}\n")
            for p, text in rng.sample(level, min(4, len(level)))
            for _ in range(branch)
        ]
        prompts = [tokenizer.encode(PROMPTS[p], add_special_tokens=False) for p, _ in level]
        calls.append((prompts, [tokenizer.encode(text, add_special_tokens=False) for _, text in level]))
    return calls


def test_its_scores_are_those_of_a_scorer(scorer: Scorer, tokenizer: Any) -> None:
    cached = TreeScorer(scorer)
    for prompts, completions in grown(tokenizer, seed=0, rounds=5):
        for mine, known in zip(
            cached.step_probabilities(prompts, completions),
            scorer.step_probabilities(prompts, completions),
            strict=True,
        ):
            assert mine.shape == known.shape
            assert np.allclose(mine, known, atol=1e-5)


def test_no_token_of_the_tree_is_read_twice(scorer: Scorer, tokenizer: Any) -> None:
    cached, seen, anew = TreeScorer(scorer), set(), 0
    before = scorer.tokens_scored
    for prompts, completions in grown(tokenizer, seed=1, rounds=5):
        cached.step_probabilities(prompts, completions)
        for prompt, completion in zip(prompts, completions, strict=True):
            whole = tuple(prompt) + tuple(completion)
            seen |= {whole[: n + 1] for n in range(len(whole))}
            anew += len(whole)
    models = 1 if cached.generator is None else 2
    assert scorer.tokens_scored - before == models * len(seen)
    assert len(seen) < anew / 3


def test_a_step_that_ended_a_solution_and_goes_on_in_another_is_two_steps(
    scorer: Scorer, tokenizer: Any
) -> None:
    """Without its newline "1+2=3" is a whole step; within "1+2=35" its tokens are not the end of one."""
    prompt = tokenizer.encode(PROMPTS[1], add_special_tokens=False)
    cached = TreeScorer(scorer)
    for text in ("1+2=3", "1+2=35\n", "1+2=3\n", "1+2=3\nanswer 3\n"):
        completion = tokenizer.encode(text, add_special_tokens=False)
        (mine,) = cached.step_probabilities([prompt], [completion])
        (known,) = scorer.step_probabilities([prompt], [completion])
        assert np.allclose(mine, known, atol=1e-5)


def test_a_tree_too_large_for_one_row_is_read_in_several_rounds(scorer: Scorer, tokenizer: Any) -> None:
    rng = Random(3)
    prompt = tokenizer.encode(PROMPTS[0], add_special_tokens=False)
    texts = ["".join(f"{random_step(rng)}\n" for _ in range(6)) for _ in range(40)]
    completions = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    assert sum(map(len, completions)) > 4 * ROW_TOKENS
    mine = TreeScorer(scorer).step_probabilities([prompt] * 40, completions)
    known = scorer.step_probabilities([prompt] * 40, completions)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(mine, known, strict=True))


def test_completions_without_a_step_and_repeats_cost_nothing_more(scorer: Scorer, tokenizer: Any) -> None:
    prompt = tokenizer.encode(PROMPTS[0], add_special_tokens=False)
    step = tokenizer.encode("3*4=12\n", add_special_tokens=False)
    cached = TreeScorer(scorer)
    first, empty = cached.step_probabilities([prompt, prompt], [step, []])
    cost = scorer.tokens_scored
    again, also = cached.step_probabilities([prompt, prompt], [step, []])
    assert scorer.tokens_scored == cost
    assert np.array_equal(first, again) and empty.shape == also.shape == (0, 3)
