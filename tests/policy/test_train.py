"""Process GRPO on a tiny policy, with exact reward models in place of trained ones."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from o1_assets.core.artifact import Cost
from o1_assets.core.engine import SamplingParams
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.transformers_engine import TransformersEngine
from o1_assets.policy.config import GroupSearchConfig, PolicyConfig, RewardConfig
from o1_assets.policy.rollouts import Collector
from o1_assets.policy.train import Safeguards, draw_problems, train_policy
from tests.engine.training.interrupted import killed_after
from tests.policy.world import QUESTIONS, RIGHT, ExactRewards, tiny_policy

CONFIG = PolicyConfig(
    updates=8,
    problems_per_update=4,
    group_size=6,
    learning_rate=2e-3,
    prompt=PromptFormat(max_tokens=24),
    search=GroupSearchConfig(share=0.0),
)
NONE = Safeguards()


@pytest.fixture(scope="module")
def world() -> tuple[Any, Any]:
    return tiny_policy()


def problems(config: PolicyConfig) -> list[dict[str, Any]]:
    wanted = config.updates * config.problems_per_update
    return [{"question": QUESTIONS[i % len(QUESTIONS)]} for i in range(wanted)]


def right_share(model: Any, tokenizer: Any, ending: str = RIGHT[0]) -> float:
    prompts = [tokenizer.encode(question + "\n", add_special_tokens=False) for question in QUESTIONS] * 20
    samples = TransformersEngine(model, tokenizer).sample(prompts, SamplingParams(24), range(len(prompts)))
    texts = [tokenizer.decode(sample.token_ids, skip_special_tokens=True) for sample in samples]
    return sum(text.endswith(ending) for text in texts) / len(texts)


def trained(
    world: tuple[Any, Any], config: PolicyConfig, seed: int = 5, safeguards: Safeguards = NONE
) -> tuple[Any, list[dict[str, float]]]:
    model, tokenizer = copy.deepcopy(world[0]), world[1]
    curve, _, _ = train_policy(
        model, tokenizer, ExactRewards(tokenizer), problems(config), config, seed, safeguards=safeguards
    )
    return model, curve


@pytest.mark.parametrize("form", ["both_sum", "both_minimum", "process", "outcome"])
def test_every_form_of_reward_teaches_the_right_path(world: tuple[Any, Any], form: Any) -> None:
    before = right_share(*world)
    model, _ = trained(world, CONFIG.model_copy(update={"reward": RewardConfig(form=form)}))
    assert before < 0.4
    # The outcome alone rewards the answer, whatever steps lead to it.
    ending = "answer 2\n" if form == "outcome" else RIGHT[0]
    assert right_share(model, world[1], ending) > before + 0.3


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(world: tuple[Any, Any]) -> None:
    config = CONFIG.model_copy(update={"updates": 2, "search": GroupSearchConfig(share=0.5)})
    first, again, other = (trained(world, config, seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_killed_training_goes_on_and_ends_in_the_same_weights_curve_and_counts(
    world: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.model_copy(update={"updates": 7, "search": GroupSearchConfig(share=0.5)})

    def train(checkpoints: Checkpoints) -> tuple[dict[str, Any], Any, int, int, Cost]:
        model, tokenizer = copy.deepcopy(world[0]), world[1]
        rewards = ExactRewards(tokenizer)
        curve, collector, tokens = train_policy(
            model, tokenizer, rewards, problems(config), config, 5,
            checkpoints=checkpoints, scored=lambda: Cost(tokens_scored=rewards.calls),
        )  # fmt: skip
        scored = collector.scored_before + Cost(tokens_scored=rewards.calls)
        return model.state_dict(), curve, tokens, collector.tokens_generated, scored

    whole = train(Checkpoints())
    with killed_after(3, monkeypatch):
        train(Checkpoints(tmp_path))
    lines: list[str] = []
    again = train(Checkpoints(tmp_path, lines.append))
    assert lines == ["continues at update 3 of 7"]
    assert all(torch.equal(whole[0][name], again[0][name]) for name in whole[0])
    assert whole[1:] == again[1:]


def test_search_brings_better_solutions_into_the_group(world: tuple[Any, Any]) -> None:
    model, tokenizer = world
    config = CONFIG.model_copy(update={"search": GroupSearchConfig(share=1.0, per_group=2, branch=8)})
    collector = Collector(TransformersEngine(model, tokenizer), ExactRewards(tokenizer), config, seed=0)
    groups = collector.groups([question + "\n" for question in QUESTIONS], update=0)
    assert [len(group) for group in groups] == [config.group_size] * len(QUESTIONS)
    searched = [rollout for group in groups for rollout in group if rollout.logprobs is None]
    sampled = [rollout for group in groups for rollout in group if rollout.logprobs is not None]
    assert len(searched) == 2 * len(QUESTIONS)
    assert (
        sum(r.outcome for r in searched) / len(searched)
        > 0.8
        > sum(r.outcome for r in sampled) / len(sampled)
    )
    assert collector.tokens_generated > sum(len(r.token_ids) for r in searched + sampled)
    assert not [r for g in collector.groups([QUESTIONS[0] + "\n"], update=1) for r in g if r.logprobs is None]


def test_a_group_does_not_depend_on_the_problems_beside_it(world: tuple[Any, Any]) -> None:
    model, tokenizer = world

    def advantages(prompts: list[str]) -> list[list[float]]:
        collector = Collector(TransformersEngine(model, tokenizer), ExactRewards(tokenizer), CONFIG, seed=3)
        return [rollout.advantages.tolist() for rollout in collector.groups(prompts, update=0)[0]]

    alone = advantages([QUESTIONS[0] + "\n"])
    assert alone == advantages([QUESTIONS[0] + "\n", "Calculate 2 * 3 - 4 + 5 - 6.\n", QUESTIONS[3] + "\n"])


def test_the_pull_towards_gpt_keeps_the_policy_near_it(world: tuple[Any, Any]) -> None:
    near = Safeguards(reference=world[0])
    free, _ = trained(world, CONFIG)
    held, curve = trained(world, CONFIG.model_copy(update={"kl_coefficient": 5.0}), safeguards=near)
    assert right_share(held, world[1]) < right_share(free, world[1]) - 0.2
    assert all(point["kl"] < 0.2 for point in curve)


def test_the_grader_is_an_error_unless_it_was_given(world: tuple[Any, Any]) -> None:
    config = CONFIG.model_copy(update={"reward": RewardConfig(outcome="grader")})
    collector = Collector(TransformersEngine(*world), ExactRewards(world[1]), config, seed=0)
    with pytest.raises(ValueError, match="no grader was given"):
        collector.groups([QUESTIONS[0] + "\n"], update=0)


def test_merging_equal_solutions_leaves_the_update_as_it_was(
    world: tuple[Any, Any], monkeypatch: Any
) -> None:
    config = CONFIG.model_copy(update={"updates": 1})
    merged, _ = trained(world, config)
    sizes = []
    monkeypatch.setattr("o1_assets.policy.grpo.merge_equal", lambda group: sizes.append(len(group)) or group)
    apart, _ = trained(world, config)
    assert sizes == [config.group_size] * config.problems_per_update
    for a, b in zip(merged.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_one_chunk_or_many_give_the_same_log_probabilities(world: tuple[Any, Any]) -> None:
    config = CONFIG.model_copy(update={"updates": 1})
    one, _ = trained(world, config.model_copy(update={"chunks": 1}))
    many, _ = trained(world, config.model_copy(update={"chunks": 7}))
    for a, b in zip(one.parameters(), many.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_problems_repeat_only_when_there_are_too_few() -> None:
    import polars as pl

    pool = pl.DataFrame({"question": [str(i) for i in range(20)]})
    config = PolicyConfig(updates=3, problems_per_update=10)
    drawn = [row["question"] for row in draw_problems(pool, config, seed=1)]
    assert len(drawn) == 30
    assert len(set(drawn[:20])) == 20
    assert drawn == [row["question"] for row in draw_problems(pool, config, seed=1)]
    assert drawn != [row["question"] for row in draw_problems(pool, config, seed=2)]
