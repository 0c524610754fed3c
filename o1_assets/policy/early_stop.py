"""When a round of RL stops: train problems that no update sees are solved again and again on the way.

Their mean of pass@1 and pass@k says whether the policy gains more in its first answer than it loses among all that it
can find. GPT*'s own training set is chosen by the same known answers; no step is rated, and no problem of an evaluation
is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.core.engine import SamplingParams
from o1_assets.core.seeds import derive_seed, sample_seeds
from o1_assets.policy.config import EarlyStopConfig
from o1_assets.policy.rollouts import Collector
from o1_assets.reward.dataset import held_out

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

# (problem, prompt's tokens, solution's tokens) of each sample -> is it right.
Judge = Callable[[Sequence[tuple[dict[str, Any], list[int], list[int]]]], Sequence[bool]]


def split_problems(problems: pl.DataFrame, config: EarlyStopConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(problems of the updates, problems of the checks); all and none where nothing is checked."""
    if not config.every:
        return problems, problems.clear()
    mask = pl.Series([held_out(name, config.share) for name in problems["problem_id"]], dtype=pl.Boolean)
    return problems.filter(~mask), problems.filter(mask).sort("problem_id").head(config.problems)


@dataclass
class EarlyStop:
    """The checks of one training. checks: (updates done, pass@1, pass@k). best: the weights at the best check."""

    config: EarlyStopConfig
    problems: list[dict[str, Any]]
    collector: Collector
    judge: Judge
    checks: list[tuple[int, float, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_check(self) -> int:
        """Number of the best check, the earliest of equal ones."""
        return int(np.argmax([one + some for _, one, some in self.checks]))

    @property
    def stopped(self) -> bool:
        return len(self.checks) - 1 - self.best_check >= self.config.patience

    def due(self, updates: int) -> bool:
        return updates % self.config.every == 0

    def check(self, updates: int, model: PreTrainedModel) -> None:
        """Solves the problems with the policy as it is after `updates` updates; with the same seeds at every check."""
        from o1_assets.engine.training.processes import all_gather_object

        n, collector = self.config.samples, self.collector
        format = collector.config.prompt
        prompts = format.encode(collector.engine.tokenizer, [row["question"] for row in self.problems])
        names = [row["problem_id"] for row in self.problems]
        samples = collector.engine.sample(
            [prompt for prompt in prompts for _ in range(n)],
            SamplingParams(format.max_tokens),
            sample_seeds(derive_seed(collector.seed, "early stop"), names, n),
        )
        collector.tokens_generated += sum(len(sample.token_ids) for sample in samples)
        asked = [(row, prompt) for row, prompt in zip(self.problems, prompts, strict=True) for _ in range(n)]
        verdicts = self.judge([(*a, s.token_ids) for a, s in zip(asked, samples, strict=True)])
        # (problems, samples): right, and whole.
        right = np.array([v and s.finished for v, s in zip(verdicts, samples, strict=True)]).reshape(-1, n)
        # Every process solves all of them, but the last bits may differ, and all have to stop at the same update.
        shares = all_gather_object((float(right.mean()), float(right.any(axis=1).mean())))[0]
        self.checks.append((updates, *shares))
        if self.best_check == len(self.checks) - 1:
            trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
            self.best = {name: parameter.detach().clone() for name, parameter in trained.items()}

    def last_before(self, updates: float) -> dict[str, float]:
        """For the curve: what the last check until then found, and after which update the weights are kept."""
        _, one, some = [check for check in self.checks if check[0] <= updates][-1]
        kept = self.checks[self.best_check][0]
        return {"held_out_pass_1": one, "held_out_pass_k": some, "kept_update": kept}

    def restore(self, model: PreTrainedModel) -> None:
        """Gives the model the weights of the best check."""
        model.load_state_dict(self.best, strict=False)

    def state(self) -> dict[str, Any]:
        return {"checks": self.checks, "best": self.best}

    def load_state(self, state: dict[str, Any]) -> None:
        self.checks, self.best = state["checks"], state["best"]
