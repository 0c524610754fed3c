"""A reward model that learns from rankings: Bradley and Terry's loss, and the scale of what was learned."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from o1_assets.evaluation.statistics import Floats
from o1_assets.experiments.assistant.config import UNRANKED
from o1_assets.reward.model import RewardModel


class BradleyTerry(RewardModel):
    """A reward model whose labels are ranks: of each answer's last token, 0 the best, UNRANKED elsewhere."""

    def forward(self, *args: Any, labels: Tensor | None = None, **inputs: Any) -> dict[str, Tensor]:
        """labels: (batch, n), a ranking a row. As RewardModel, with the loss of Bradley and Terry."""
        outputs = super().forward(*args, **inputs)
        if labels is not None:
            rewards = outputs["logits"][..., 1] - outputs["logits"][..., 0]  # (batch, n)
            losses = [
                ranking_loss(r[of != UNRANKED], of[of != UNRANKED])
                for r, of in zip(rewards, labels, strict=True)
            ]
            outputs["loss"] = torch.stack(losses).mean()
        return outputs

    def label_weight(self, labels: Tensor) -> float:
        return float(len(labels))


def ranking_loss(rewards: Tensor, ranks: Tensor) -> Tensor:
    """Mean of -log sigmoid(r(better) - r(worse)) over the pairs of a ranking; both (answers,). 0 without a pair."""
    better, worse = (ranks[:, None] < ranks[None, :]).nonzero(as_tuple=True)
    if not len(better):
        return rewards.sum() * 0.0
    return -nn.functional.logsigmoid(rewards[better] - rewards[worse]).mean()


def standardise(model: RewardModel, rewards: Floats) -> None:
    """Shifts and scales r, of which only differences were learned, to mean 0 and standard deviation 1."""
    head = cast(nn.Linear, model.head)
    mean, spread = float(rewards.mean()), float(rewards.std()) or 1.0
    with torch.no_grad():
        head.weight.div_(spread)
        head.bias.div_(spread)
        head.bias[1] -= mean / spread
