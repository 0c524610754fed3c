"""Searches on vLLM by the same interface: the same tree as on transformers, prefixes from vLLM's own cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from o1_assets.core.engine import Engine
from o1_assets.engine.steps import step_ends
from o1_assets.profiles.load import load_profile
from o1_assets.search.beam import StepBeam
from o1_assets.search.chain import Chain
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.models import choose_models, load_search_models
from o1_assets.search.run import SearchModels, search
from o1_assets.search.vote import Chains
from tests.engine.both.conftest import Both
from tests.engine.checkpoints import Checkpoint

NANO = load_profile("nano", "")
BUDGET = Budget(tokens=300, steps=16, step_tokens=32, solution_tokens=96)


WAYS: dict[str, Strategy] = {"chain": Chain(), "beam": StepBeam(2, 4), "mcts": PuctSearch(16)}


class Whim:
    """A PRM whose belief in a step is a number drawn from all tokens up to its end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def step_probabilities(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[np.ndarray]:
        return [
            np.array([_belief([*p, *c[: end + 1]]) for end in step_ends(c, self.engine.tokenizer)]).reshape(
                -1, 3
            )
            for p, c in zip(prompts, completions, strict=True)
        ]

    def with_kv_cache(self) -> Whim:
        return self


def _belief(tokens: Sequence[int]) -> tuple[float, float, float]:
    right = hashlib.sha256(repr(list(tokens)).encode()).digest()[0] / 256
    return 1 - right, 0.0, right


def thinker(checkpoint: Checkpoint, engine: Engine) -> SearchModels:
    if checkpoint.store is None:
        return SearchModels(engine, Whim(engine))
    chosen = choose_models(checkpoint.store, NANO, Chains("best"))
    return load_search_models(checkpoint.store, chosen, lambda path: engine, NANO.prompt, 1.0)


@pytest.mark.parametrize("name", WAYS)
def test_a_search_grows_the_same_trees(both: Both, checkpoint: Checkpoint, name: str) -> None:
    # Random weights end soon, so that only a long question makes whole blocks to come back to.
    questions = (
        checkpoint.questions if checkpoint.store else [f"Calculate {i}{' + 2' * 20}." for i in range(5)]
    )
    prompts = [question + "\n" for question in questions[:5]]
    reused = both.vllm.reused_tokens
    ours, theirs = (
        search(WAYS[name], prompts, thinker(checkpoint, e), BUDGET, range(5))
        for e in (both.vllm, both.transformers)
    )
    assert [f.completion for f in ours] == [f.completion for f in theirs]
    assert [len(f.tree.nodes) for f in ours] == [len(f.tree.nodes) for f in theirs]
    assert [f.tree.tokens_generated for f in ours] == [f.tree.tokens_generated for f in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert a.answer.score == pytest.approx(b.answer.score, abs=1e-4)
    if name in ("beam", "mcts") and checkpoint.store is None:
        assert both.vllm.reused_tokens > reused
