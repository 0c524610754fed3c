"""GRPO's loss as it can be set: its gradient against the formula, several updates a batch, refused settings."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from pydantic import ValidationError

from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.transformers_engine import TransformersEngine
from o1_assets.policy.config import (
    ObjectiveConfig,
    OverlongConfig,
    PolicyConfig,
    RewardConfig,
    RolloutsConfig,
)
from o1_assets.policy.grpo import ProcessGRPOTrainer, importance, sampled_logprobs
from o1_assets.policy.objective import grpo_arguments
from o1_assets.policy.rewards import outcome_advantages, pass_k_advantages
from o1_assets.policy.rollouts import Collector, Rollout, rollout_engine
from o1_assets.policy.train import train_policy
from tests.engine.training.interrupted import killed_after
from tests.policy.world import QUESTIONS, RIGHT, WRONG, ExactRewards, tiny_policy

CONFIG = PolicyConfig(
    updates=8, problems_per_update=4, group_size=6, learning_rate=2e-3, prompt=PromptFormat(max_tokens=24)
)


@pytest.fixture(scope="module")
def world() -> tuple[Any, Any]:
    return tiny_policy()


def objective(**changes: Any) -> PolicyConfig:
    return CONFIG.model_copy(update={"objective": ObjectiveConfig(**changes)})


def rollouts(world: tuple[Any, Any]) -> list[list[Rollout]]:
    """Two groups of three solutions of different lengths, two of them equal, with advantages of each token."""
    tokenizer = world[1]
    texts = (WRONG[0], WRONG[0], RIGHT[0] + "1+1=2\n", "1\n", RIGHT[0], "2+2=4\n2\n")
    rng, groups = np.random.default_rng(0), []
    for start, question in zip((0, 3), QUESTIONS, strict=False):
        group = []
        for text in texts[start : start + 3]:
            ids = [*tokenizer.encode(text), tokenizer.eos_token_id]
            group.append(Rollout(question + "\n", ids, True, None, advantages=rng.normal(size=len(ids))))
        groups.append(group)
    groups[0][1].advantages = groups[0][0].advantages
    return groups


def open_trainer(
    world: tuple[Any, Any], config: PolicyConfig, groups: list[list[Rollout]], folder: Path, chunks: int = 3
) -> ProcessGRPOTrainer:
    config = config.model_copy(update={"problems_per_update": 2, "group_size": 3})
    rows = [{"prompt": group[0].prompt} for group in groups]
    trainer = ProcessGRPOTrainer(
        groups=lambda prompts, update: groups, pool=ThreadPoolExecutor(1), model=copy.deepcopy(world[0]),
        args=grpo_arguments(config, 0, folder), train_dataset=Dataset.from_list(rows), processing_class=world[1],
        chunks=chunks,
    )  # fmt: skip
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def gradient(trainer: ProcessGRPOTrainer) -> torch.Tensor:
    """Of the first update, all parameters in one row."""
    model: Any = trainer.model
    model.train()
    trainer.training_step(model, [row for row in trainer.train_dataset for _ in range(3)])
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def by_formula(
    world: tuple[Any, Any], config: PolicyConfig, solutions: list[Rollout], learned: list[Rollout]
) -> torch.Tensor:
    """The same gradient, one solution after the other. learned: those that are not ignored."""
    model, tokenizer = copy.deepcopy(world[0]), world[1]
    loss, entropies = torch.zeros(()), []
    tokens = sum(len(rollout.token_ids) for rollout in learned)
    for rollout in learned:
        prompt = tokenizer.encode(rollout.prompt)
        n = len(rollout.token_ids)
        logits = model(torch.tensor([prompt + rollout.token_ids])).logits[0, len(prompt) - 1 : -1]
        logprobs = logits.log_softmax(-1)
        entropies += [-(logprobs.exp() * logprobs).sum(-1)]
        chosen = logprobs[torch.arange(n), torch.tensor(rollout.token_ids)]
        divided_by = {
            "token": tokens,
            "sequence": n * len(solutions),
            "constant": len(solutions) * config.prompt.max_tokens,
        }[config.objective.loss]
        loss = loss - (chosen * torch.as_tensor(rollout.advantages, dtype=torch.float32)).sum() / divided_by
    loss = loss - config.objective.entropy * torch.cat(entropies).mean()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize(
    "changes",
    [{}, {"loss": "sequence"}, {"loss": "constant"}, {"entropy": 0.5}, {"loss": "sequence", "entropy": 0.5}],
)
def test_the_gradient_is_that_of_the_formula_whatever_the_chunks(
    world: tuple[Any, Any], tmp_path: Path, changes: dict[str, Any], ignored: bool
) -> None:
    config, groups = objective(**changes), rollouts(world)
    if ignored:
        groups[1][1].ignored = True
        groups[1][0].ignored = True
    solutions = [rollout for group in groups for rollout in group]
    expected = by_formula(world, config, solutions, [r for r in solutions if not r.ignored])
    for chunks in (1, 4):
        found = gradient(open_trainer(world, config, groups, tmp_path, chunks))
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-6)


def test_what_has_become_likelier_is_pushed_on_only_up_to_the_upper_clip(
    world: tuple[Any, Any], tmp_path: Path
) -> None:
    groups = rollouts(world)
    for rollout in (rollout for group in groups for rollout in group):
        rollout.advantages = np.ones(len(rollout.token_ids))
    sizes = []
    for clip_high in (0.2, 0.28):
        trainer = open_trainer(world, objective(epochs=2, clip_high=clip_high), groups, tmp_path)
        first = gradient(trainer)
        [batch] = trainer._buffered_inputs
        batch["old_per_token_logps"] -= 0.22  # the ratio of all tokens is 1.246
        trainer._step = 1
        trainer.model.zero_grad()
        sizes.append(float(gradient(trainer).norm() / first.norm()))
        assert trainer.clip_shares == [0.0, 1.0 if clip_high == 0.2 else 0.0]
    assert sizes[0] == 0.0
    assert sizes[1] == pytest.approx(np.exp(0.22), rel=1e-3)


def test_a_batch_is_used_for_several_updates_and_a_killed_training_ends_alike(
    world: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = objective(epochs=2, minibatches=2, clip_low=0.02, clip_high=0.02).model_copy(
        update={"updates": 12}
    )

    def train(checkpoints: Checkpoints) -> tuple[dict[str, Any], Any, int, int]:
        model, tokenizer = copy.deepcopy(world[0]), world[1]
        problems = [{"question": QUESTIONS[i % len(QUESTIONS)]} for i in range(config.batches * 4)]
        curve, collector, tokens = train_policy(
            model, tokenizer, ExactRewards(tokenizer), problems, config, 5, checkpoints=checkpoints
        )
        return model.state_dict(), curve, tokens, collector.tokens_generated

    whole = train(Checkpoints())
    _, curve, tokens, generated = whole
    assert [point["update"] for point in curve] == [0, 4, 8]
    assert generated < tokens / 2  # two passes, and the prompts
    assert all(0 < point["clip_share"] < 1 for point in curve)
    assert curve[1]["orm_score"] > curve[0]["orm_score"]
    # A state is saved between batches alone: half a batch could not be gone on with.
    with monkeypatch.context() as patch:
        patch.setattr("o1_assets.engine.training.checkpoint.Checkpoints.due", lambda self: True)
        saved: list[int] = []
        patch.setattr(Checkpoints, "save", lambda self, update, state: saved.append(update))
        train(Checkpoints(tmp_path / "none"))
    assert saved == [4, 8, 12]
    with killed_after(1, monkeypatch):
        train(Checkpoints(tmp_path))
    again = train(Checkpoints(tmp_path))
    assert all(torch.equal(whole[0][name], again[0][name]) for name in whole[0])
    assert whole[1:] == again[1:]


def test_pass_k_is_the_mean_over_all_subsets() -> None:
    right, k = [True, False, False, True, False], 3
    subsets = list(combinations(range(5), k))
    rewards = outcome_advantages([float(any(right[i] for i in subset)) for subset in subsets], None)
    spread = float(np.std([any(right[i] for i in subset) for subset in subsets]))
    expected = [
        np.mean([r for r, subset in zip(rewards, subsets, strict=True) if i in subset]) / spread
        for i in range(5)
    ]
    np.testing.assert_allclose(pass_k_advantages(right, k), expected)
    np.testing.assert_allclose(pass_k_advantages(right, 1), outcome_advantages([float(r) for r in right]))
    assert not pass_k_advantages([True, True, False], 2).any()  # any two hold a right one


def group_of(world: tuple[Any, Any], config: PolicyConfig, **fields: Any) -> list[Rollout]:
    collector = Collector(TransformersEngine(*world), ExactRewards(world[1]), config, seed=3, **fields)
    [group] = collector.groups([QUESTIONS[0] + "\n"], 0)
    return group


def test_pass_k_and_unscaled_rewards_make_the_advantages_of_a_group(world: tuple[Any, Any]) -> None:
    outcome = CONFIG.model_copy(update={"reward": RewardConfig(form="outcome"), "std_floor": 1e-4})
    group = group_of(world, outcome.model_copy(update={"pass_k": 2}))
    right = [rollout.belief >= 0.5 for rollout in group]
    assert 0 < sum(right) < len(right)
    expected = pass_k_advantages(right, 2)
    np.testing.assert_allclose([rollout.advantages[0] for rollout in group], expected)
    unscaled = outcome.model_copy(update={"objective": ObjectiveConfig(scale_rewards="none")})
    rewards = np.array([1.0 if r else -1.0 for r in right])
    advantages = [rollout.advantages[0] for rollout in group_of(world, unscaled)]
    np.testing.assert_allclose(advantages, rewards - rewards.mean())


def test_long_solutions_cost_up_to_one_and_what_was_cut_off_is_ignored(world: tuple[Any, Any]) -> None:
    length = len(world[1].encode(RIGHT[0])) + 1
    for longest, cost, finished in ((length + 1, 0.75, True), (length - 4, 1.0, False)):
        config = CONFIG.model_copy(update={"prompt": PromptFormat(max_tokens=longest)})
        plain = group_of(world, config)
        both = OverlongConfig(soft_tokens=4, filter=True)
        group = group_of(world, config.model_copy(update={"overlong": both}))
        taken = [
            float(r.rewards[-1] - p.rewards[-1]) / CONFIG.reward.outcome_weight
            for r, p in zip(group, plain, strict=True)
            if len(r.token_ids) == min(length, longest)
        ]
        assert taken
        np.testing.assert_allclose(taken, -cost)
        assert all(rollout.ignored == (not rollout.finished) for rollout in group)
        assert any(rollout.finished for rollout in group) == finished


def test_groups_are_graded_at_once_while_the_reward_models_read(
    world: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, together = threading.Event(), threading.Barrier(2)

    def grade(solutions: list[tuple[str, str]]) -> list[bool]:
        together.wait(20)  # raises unless two groups are graded at once
        assert read.wait(20)
        return [solution.endswith("answer 2") for _, solution in solutions]

    class Reading(ExactRewards):
        def step_probabilities(self, prompts: Any, completions: Any) -> Any:
            read.set()
            return super().step_probabilities(prompts, completions)

    reward = RewardConfig(outcome="grader", workers=2)
    config = CONFIG.model_copy(update={"reward": reward})
    collector = Collector(TransformersEngine(*world), Reading(world[1]), config, seed=3, grade=grade)
    groups = collector.groups([question + "\n" for question in QUESTIONS[:2]], 0)
    of_orm = Collector(TransformersEngine(*world), ExactRewards(world[1]), CONFIG, seed=3)
    expected = of_orm.groups([question + "\n" for question in QUESTIONS[:2]], 0)
    for group, other in zip(groups, expected, strict=True):
        assert [r.outcome for r in group] == [r.outcome for r in other]


def test_tokens_count_by_how_likely_the_trained_model_finds_them_up_to_the_cap() -> None:
    of_trainer = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -1.0, 0.0]])
    rows = [
        Rollout("", [1, 2, 3], True, [-1.0, -2.0 - np.log(3), -3.0 + np.log(2)]),
        Rollout("", [1], True, None),
    ]
    of_sampler = sampled_logprobs(rows, of_trainer)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    ratios, figures = importance(of_trainer, of_sampler, mask, cap=2.0)
    torch.testing.assert_close(ratios, torch.tensor([[1.0, 2.0, 0.5], [1.0, 1.0, 1.0]]))
    assert figures["sampler_difference"] == pytest.approx((np.log(3) + np.log(2)) / 5)
    assert figures["sampler_difference_max"] == pytest.approx(np.log(3))
    assert figures["importance"] == pytest.approx((1 + 3 + 0.5 + 1 + 1) / 5)
    assert figures["importance_cut_share"] == pytest.approx(1 / 5)


def test_vllm_does_not_sample_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("o1_assets.policy.rollouts.require_engine", lambda *names: None)
    monkeypatch.setattr("o1_assets.engine.training.processes.processes", lambda: 2)
    config = CONFIG.model_copy(update={"rollouts": RolloutsConfig(engine="vllm")})
    model: Any = None
    with pytest.raises(ValueError, match="samples in one process, and this training has 2"):
        rollout_engine(model, model, config)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": {"clip_high": 0.28}}, "objective.clip_high has no effect"),
        ({"objective": {"epochs": 3}}, "updates is 14, which is no multiple of the 3 updates"),
        ({"objective": {"minibatches": 7}}, "problems_per_update is 24, which objective.minibatches, 7,"),
        ({"pass_k": 13}, "pass_k is 13, more than the 12 solutions"),
        ({"overlong": {"soft_tokens": 96}}, "overlong.soft_tokens is 96; give fewer"),
        (
            {"overlong": {"soft_tokens": 4}, "reward": {"form": "process"}},
            "which reward.form process does not",
        ),
        (
            {"pass_k": 2, "reward": {"form": "outcome"}, "objective": {"scale_rewards": "none"}},
            "tells right from wrong alone",
        ),
        ({"reward": {"workers": 2}}, "with reward.outcome orm leave it at 0"),
        ({"temperature": 0.8, "rollouts": {"engine": "vllm"}}, "tells probabilities at 1 alone"),
    ],
)
def test_settings_that_cannot_go_together_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PolicyConfig.model_validate(settings)
