"""The solutions of one update: sampled or searched with the current policy, scored, given advantages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from o1_assets.core.artifact import Cost
from o1_assets.core.engine import Engine, SamplingParams
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.steps import step_ends
from o1_assets.policy.advantages import Floats, minimum_advantages, outcome_advantages, process_advantages
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.rewards import outcome_reward, process_rewards, step_rewards
from o1_assets.reward.interface import RewardModels
from o1_assets.search.beam import StepBeam
from o1_assets.search.interface import Budget
from o1_assets.search.run import Thinker, search


@dataclass
class Rollout:
    """One solution of a group. token_ids has the end token if finished; searched ones have no logprobs."""

    prompt: str
    token_ids: list[int]
    finished: bool
    logprobs: list[float] | None
    steps: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    probabilities: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    outcome: float = 0.0
    rewards: Floats = field(default_factory=lambda: np.zeros(0))
    advantages: Floats = field(default_factory=lambda: np.zeros(0))
    """One a token."""


@dataclass
class Collector:
    """Makes the groups of one update after the other, from problems whose prompts it is given."""

    engine: Engine
    rewards: RewardModels
    config: PolicyConfig
    seed: int
    answer_of: Callable[[str], str | None] = lambda step: None
    grade: Callable[[str, str], bool] | None = None
    """(prompt, solution) -> is its answer correct; used, and only there, where the reward says `grader`."""
    tokens_generated: int = 0
    scored_before: Cost = field(default_factory=Cost)
    """What the reward models cost before this process went on with the training."""

    def prompt_ids(self, prompt: str) -> list[int]:
        return list(self.engine.tokenizer.encode(prompt, add_special_tokens=False))

    def groups(
        self, prompts: Sequence[str], update: int, first: int = 0, of: int | None = None
    ) -> list[list[Rollout]]:
        """For each prompt `group_size` scored rollouts with their advantages.

        first, of: the prompts are those from `first` on of the update's `of`; other processes have the others.
        What is drawn for a prompt depends on its place among all of them.
        """
        everywhere = self._searched(len(prompts) if of is None else of, update)
        searched = [i - first for i in everywhere if first <= i < first + len(prompts)]
        groups = self._sample(prompts, searched, update, first)
        before = sum(i < first for i in everywhere)
        found = self._search([prompts[i] for i in searched], update, before)
        for i, solutions in zip(searched, found, strict=True):
            groups[i] += solutions
        self._score([rollout for group in groups for rollout in group])
        for group in groups:
            self._advantages(group)
        return groups

    def _searched(self, problems: int, update: int) -> list[int]:
        """Which problems of this update have searched solutions among their group."""
        search_config = self.config.search
        if update % search_config.every or not search_config.per_group:
            return []
        count = round(search_config.share * problems)
        order = np.random.default_rng([self.seed, update]).permutation(problems)
        return sorted(int(i) for i in order[:count])

    def _sample(
        self, prompts: Sequence[str], searched: Sequence[int], update: int, first: int
    ) -> list[list[Rollout]]:
        size = self.config.group_size
        counts = [
            size - self.config.search.per_group if i in set(searched) else size for i in range(len(prompts))
        ]
        encoded = [self.prompt_ids(prompt) for prompt in prompts]
        params = SamplingParams(self.config.prompt.max_tokens, self.config.temperature)
        samples = iter(
            self.engine.sample(
                [encoded[i] for i, n in enumerate(counts) for _ in range(n)],
                params,
                [
                    derive_seed(self.seed, update, first + i, k)
                    for i, n in enumerate(counts)
                    for k in range(n)
                ],
            )
        )
        groups = []
        for prompt, n in zip(prompts, counts, strict=True):
            group = []
            for sample in (next(samples) for _ in range(n)):
                group.append(Rollout(prompt, list(sample.token_ids), sample.finished, list(sample.logprobs)))
                self.tokens_generated += len(sample.token_ids)
            groups.append(group)
        return groups

    def _search(self, prompts: Sequence[str], update: int, before: int) -> list[list[Rollout]]:
        if not prompts:
            return []
        config, n = self.config, self.config.search.per_group
        found = search(
            StepBeam(width=1, branch=config.search.branch),
            [prompt for prompt in prompts for _ in range(n)],
            Thinker(self.engine, self.rewards, answer_of=self.answer_of, temperature=config.temperature),
            Budget(
                tokens=config.prompt.max_tokens * config.search.branch,
                steps=config.max_steps,
                step_tokens=config.prompt.max_tokens,
            ),
            [
                derive_seed(self.seed, update, "search", before + i, k)
                for i in range(len(prompts))
                for k in range(n)
            ],
        )
        for one in found:
            self.tokens_generated += one.tree.tokens_generated
        rollouts = [Rollout(f.tree.prompt, f.completion_ids, f.finished, None) for f in found]
        return [rollouts[i * n : (i + 1) * n] for i in range(len(prompts))]

    def _score(self, rollouts: Sequence[Rollout]) -> None:
        """Fills in steps, ends, probabilities and outcome."""
        tokenizer, form = self.engine.tokenizer, self.config.reward.form
        for rollout in rollouts:
            rollout.ends = list(step_ends(rollout.token_ids, tokenizer))
            starts = [0, *(end + 1 for end in rollout.ends)]
            rollout.steps = [
                str(tokenizer.decode(rollout.token_ids[a : b + 1], skip_special_tokens=True)).strip()
                for a, b in zip(starts, rollout.ends, strict=False)
            ]
        prompts = [self.prompt_ids(rollout.prompt) for rollout in rollouts]
        completions = [rollout.token_ids for rollout in rollouts]
        if form == "outcome":
            outcomes = self.rewards.outcome_probabilities(prompts, completions)
            probabilities = [np.zeros((0, 3))] * len(rollouts)
        elif form == "process":
            probabilities = self.rewards.step_probabilities(prompts, completions)
            outcomes = [0.0] * len(rollouts)
        else:
            probabilities, outcomes = self.rewards.score_both(prompts, completions)
        if self.config.reward.outcome == "grader":
            if self.grade is None:
                raise ValueError("the outcome is to be rewarded by the grader, but no grader was given")
            outcomes = [self.grade(r.prompt, "\n".join(r.steps)) for r in rollouts]
        for rollout, p, outcome in zip(rollouts, probabilities, outcomes, strict=True):
            rollout.probabilities, rollout.outcome = p, float(outcome)

    def _advantages(self, group: Sequence[Rollout]) -> None:
        reward, floor, clip = self.config.reward, self.config.std_floor, self.config.advantage_clip
        for rollout in group:
            if not rollout.steps:  # nothing but an end token, or cut off before the first step ended
                rollout.ends, rollout.steps = [len(rollout.token_ids) - 1], [""]
                rollout.probabilities = np.array([[1.0, 0.0, 0.0]])
        outcomes = [outcome_reward(r.outcome, r.finished) for r in group]
        lengths, ends = [len(r.token_ids) for r in group], [r.ends for r in group]
        process = [np.zeros(0)] * len(group)
        if reward.form != "outcome":
            process = [process_rewards(r.probabilities, r.steps, reward) for r in group]
        if reward.form in ("both_sum", "process"):
            rewards = [step_rewards(p, o, reward) for p, o in zip(process, outcomes, strict=True)]
            advantages = process_advantages(rewards, ends, lengths, floor)
        else:
            rewards = [np.array([o]) for o in outcomes]
            whole = outcome_advantages(outcomes, floor)
            advantages = [np.full(n, a) for n, a in zip(lengths, whole, strict=True)]
            if reward.form == "both_minimum":
                worst = minimum_advantages(process, ends, lengths, reward.minimum_temperature, floor)
                advantages = [reward.outcome_weight * a + w for a, w in zip(advantages, worst, strict=True)]
        for rollout, r, a in zip(group, rewards, advantages, strict=True):
            rollout.rewards, rollout.advantages = r, np.clip(a, -clip, clip)
