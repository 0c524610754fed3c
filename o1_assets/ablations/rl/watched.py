"""Reward models that write down, update after update, what they believe of the policy's samples and what is true.

The true answers are looked at for the curve alone: what the training is given never depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from o1_assets.ablations.rl.config import Guards
from o1_assets.ablations.rl.guards import Floats, as_ratings, step_values
from o1_assets.engine.steps import step_ends
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.rewards import PrefixScorer, RewardModels, Tokens, repeated
from o1_assets.reward.aggregate import NEUTRAL, right_probabilities, solution_score
from o1_assets.training.checkpoint import Checkpoints

Point = dict[str, float]


@dataclass
class Watched:
    """RewardModels (policy/rewards.py). One call scores the solutions of one update, group after group.

    right: (prompt's token ids, the solution's text) -> is its answer the right one. points: a row of means an update
    over the sampled solutions; those found by search are left out.
    """

    models: RewardModels
    tokenizer: Any
    config: PolicyConfig
    guards: Guards
    right: Callable[[tuple[int, ...], str], bool]
    points: list[Point] = field(default_factory=list)
    _searched: set[tuple[int, ...]] = field(default_factory=set)

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[Floats]:
        return self.score_both(prompts, completions)[0]

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        return self.score_both(prompts, completions)[1]

    def score_both(self, prompts: Tokens, completions: Tokens) -> tuple[list[Floats], list[float]]:
        """Always both, so that the curves of all arms show the same."""
        steps, outcomes = self.models.score_both(prompts, completions)
        sampled = self._sampled(prompts)
        self.points.append(
            self._point(*([values[i] for i in sampled] for values in (prompts, completions, steps, outcomes)))
        )
        self._searched.clear()
        return [self._rated(p) for p in steps], outcomes

    def remembering(self) -> PrefixScorer:
        """For a search; the problems that it is asked about are remembered for this update."""
        return Noting(self.models.remembering(), self._searched)

    def _rated(self, probabilities: Floats) -> Floats:
        """What the training is told: the ratings themselves as long as no guard is off."""
        if self.guards.all_on:
            return probabilities
        return as_ratings(step_values(probabilities, self.guards, self.config.reward.neutral_cost))

    def _sampled(self, prompts: Tokens) -> list[int]:
        """Places of the sampled solutions: a group's last `per_group` are searched where its problem was."""
        size, found = self.config.group_size, self.config.search.per_group
        return [
            i
            for i, prompt in enumerate(prompts)
            if i % size < size - found or tuple(prompt) not in self._searched
        ]

    def _point(
        self,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        ratings: Sequence[Floats],
        outcomes: Sequence[float],
    ) -> Point:
        end = self.tokenizer.eos_token_id
        finished = [bool(ids) and ids[-1] == end for ids in completions]
        steps = [self._steps(ids) for ids in completions]
        right = [
            done and self.right(tuple(prompt), "\n".join(own))
            for prompt, done, own in zip(prompts, finished, steps, strict=True)
        ]
        of_steps = [step for own in steps for step in own]
        again = [flag for own in steps for flag in repeated(own, 1)]
        p = np.concatenate([np.zeros((0, 3)), *ratings])
        values = [step_values(r, self.guards, self.config.reward.neutral_cost).sum() for r in ratings]
        return {
            "update": float(len(self.points)),
            "true": _mean(right),
            "prm": _mean([solution_score(r) if len(r) else 0.0 for r in ratings]),
            "orm": _mean(outcomes),
            "step": _mean(right_probabilities(p)),
            "neutral": _mean(p[:, NEUTRAL]),
            "reward": _mean(values),
            "tokens": _mean([len(ids) for ids in completions]),
            "steps": _mean([len(own) for own in steps]),
            "finished": _mean(finished),
            "check": _mean([step.startswith("check") for step in of_steps]),
            "wait": _mean([step.startswith("wait") for step in of_steps]),
            "repeated": _mean(again),
        }

    def _steps(self, token_ids: Sequence[int]) -> list[str]:
        ends = step_ends(token_ids, self.tokenizer)
        starts = [0, *(end + 1 for end in ends)]
        return [
            str(self.tokenizer.decode(token_ids[a : b + 1], skip_special_tokens=True)).strip()
            for a, b in zip(starts, ends, strict=False)
        ]


@dataclass
class Noting:
    """A PrefixScorer that notes what it is asked about."""

    scorer: PrefixScorer
    asked: set[tuple[int, ...]]

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[Floats]:
        self.asked.update(tuple(prompt) for prompt in prompts)
        return self.scorer.step_probabilities(prompts, completions)


class WatchedCheckpoints(Checkpoints):
    """Checkpoints of a training that hold what was written down so far too."""

    def __init__(self, watched: Watched, folder: Path | None, progress: Callable[[str], None]) -> None:
        super().__init__(folder, progress)
        self.watched = watched

    def save(self, update: int, state: Mapping[str, Any]) -> None:
        super().save(update, {**state, "watched": self.watched.points})

    def load(self) -> tuple[int, dict[str, Any]] | None:
        found = super().load()
        if found is not None:
            self.watched.points = found[1]["watched"]
        return found


def _mean(values: Sequence[Any] | Floats) -> float:
    return float(np.mean(values)) if len(values) else 0.0
