"""RL whose solutions vLLM samples (`make test-vllm`): the rewards of transformers, from the newest weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from o1_assets.core.engine import SamplingParams
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.open import EngineMissing, require_engine
from o1_assets.engine.transformers_engine import TransformersEngine
from o1_assets.policy.config import EarlyStopConfig, PolicyConfig, RolloutsConfig
from o1_assets.policy.train import Safeguards, train_policy
from tests.policy.world import QUESTIONS, ExactRewards, tiny_policy

try:
    require_engine("vllm")
except EngineMissing as error:
    pytest.skip(str(error), allow_module_level=True)

CONFIG = PolicyConfig(
    updates=10, problems_per_update=6, group_size=8, learning_rate=2e-3, warmup_updates=0,
    prompt=PromptFormat(max_tokens=24),
    early_stop=EarlyStopConfig(every=10, samples=8),
)  # fmt: skip
PROBLEMS = [
    {"problem_id": q, "question": q, "answer": "2", "grader": "math", "metadata": "{}"} for q in QUESTIONS
]


@pytest.fixture(scope="module")
def world() -> tuple[Any, Any]:
    return tiny_policy(heads=1)  # vLLM's attention on CPUs takes heads of 32 and more


def trained(
    world: tuple[Any, Any], engine: Any, updates: int = 10
) -> tuple[dict[str, Any], list[dict[str, float]]]:
    model, tokenizer = copy.deepcopy(world[0]), world[1]
    config = CONFIG.model_copy(update={"rollouts": RolloutsConfig(engine=engine), "updates": updates})
    curve, _, _ = train_policy(
        model, tokenizer, ExactRewards(tokenizer), PROBLEMS * updates, config, 5,
        safeguards=Safeguards(held_out=PROBLEMS),
    )  # fmt: skip
    return model.state_dict(), curve


def test_ten_updates_have_the_rewards_that_they_have_with_transformers(world: tuple[Any, Any]) -> None:
    weights, curve = trained(world, "vllm")
    expected_weights, expected = trained(world, "transformers")
    assert len(curve) == 10 and curve[-1]["orm_score"] > curve[0]["orm_score"] + 0.2
    for point, other in zip(curve, expected, strict=True):
        # Seeds mean the same samples on both engines, so that noise is a sample in some hundred.
        assert point["orm_score"] == pytest.approx(other["orm_score"], abs=0.05)
        assert point["reward"] == pytest.approx(other["reward"], abs=0.2)
        # What vLLM says of its samples is what the trained model says of them before each update.
        assert 0 < point["sampler_difference_max"] < 1e-3
        assert point["importance"] == pytest.approx(1.0, abs=1e-4)
        assert point["importance_cut_share"] == 0.0
    assert curve[-1]["held_out_pass_1"] == pytest.approx(expected[-1]["held_out_pass_1"], abs=0.1)
    for name, value in weights.items():
        torch.testing.assert_close(value, expected_weights[name], rtol=0, atol=0.02)


def test_weights_that_are_not_pushed_are_seen_at_once(
    world: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from o1_assets.engine.vllm_policy import VllmPolicyEngine

    push, pushed = VllmPolicyEngine.newest_weights, []

    @contextmanager
    def once(self: Any) -> Iterator[None]:
        if pushed:
            yield
            return
        pushed.append(True)
        with push(self):
            yield

    monkeypatch.setattr(VllmPolicyEngine, "newest_weights", once)
    _, curve = trained(world, "vllm", updates=3)
    first, *others = [point["sampler_difference_max"] for point in curve]
    assert first < 1e-3 < 0.01 < min(others)


def test_prefixes_that_were_read_with_other_weights_are_dropped(
    world: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from o1_assets.engine.vllm_policy import VllmPolicyEngine

    model, tokenizer = copy.deepcopy(world[0]), world[1]
    engine = VllmPolicyEngine(model, tokenizer)
    prompt = list(tokenizer.encode("1+2=3\n" * 7, add_special_tokens=False))
    assert len(prompt) > 32  # a block, which is kept

    def apart() -> float:
        """How far the sampler's log-probabilities are from the model's."""
        with engine.newest_weights():
            [sample] = engine.sample([prompt], SamplingParams(12, 0.0), [0])
        [expected] = TransformersEngine(model, tokenizer).logprobs([prompt + sample.token_ids], [len(prompt)])
        return max(abs(a - b) for a, b in zip(sample.logprobs, expected, strict=True))

    assert apart() < 1e-4
    for layer in model.model.layers:
        layer.self_attn.v_proj.weight.data *= 3
    assert apart() < 1e-4
    monkeypatch.setattr(engine._llm, "reset_prefix_cache", lambda: True)
    for layer in model.model.layers:
        layer.self_attn.v_proj.weight.data /= 3
    assert apart() > 1e-3
    engine.close()
