"""What is trained on graded homework: a base that grows by some layers, and the loss of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from o1_assets.engine.checkpoint import load_causal_lm
from o1_assets.reward.config import VerifierConfig
from o1_assets.reward.dataset import IGNORED
from o1_assets.reward.model import grown_classifier
from o1_assets.reward.pages import MarkedPage
from o1_assets.reward.tree import collate, on_device_of


class GrowingVerifier(nn.Module):
    """The classifier that is kept, with the base's head for the next token, which is not.

    base: a causal checkpoint. new_layers: decoder layers added on top, each of which changes nothing at first.
    """

    def __init__(self, base: Path, new_layers: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.classifier: Any = grown_classifier(base, new_layers)
        self.next_token = cast(nn.Module, load_causal_lm(base, "float32").lm_head)

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Inputs of `tree.collate`. Returns hidden states (batch, n, hidden) and marks' logits (batch, n, 3)."""
        hidden = self.classifier.base_model(**batch, use_cache=False).last_hidden_state
        return hidden, self.classifier.score(hidden)


def page_loss(
    model: GrowingVerifier, config: VerifierConfig, batch: Sequence[MarkedPage], part: Sequence[MarkedPage]
) -> Tensor:
    """A part's share of a batch's loss: each of its three terms is a mean over the whole batch."""
    hidden, logits = model(on_device_of(model.classifier, collate([page.row for page in part])))
    width = hidden.shape[1]
    loss = torch.zeros((), device=hidden.device)
    for kind, weight in (("steps", 1.0), ("symbols", config.symbol_weight)):
        total = sum(int((getattr(page, kind) != IGNORED).sum()) for page in batch)
        if weight and total:
            classes = np.full((len(part), width), IGNORED, dtype=np.int64)
            for line, page in zip(classes, part, strict=True):
                line[: len(page)] = getattr(page, kind)
            targets = torch.from_numpy(classes).flatten().to(hidden.device)
            labelled = targets != IGNORED
            summed = nn.functional.cross_entropy(
                logits.flatten(0, 1)[labelled], targets[labelled], reduction="sum"
            )
            loss = loss + weight * summed / total
    if config.reading_weight:
        # (edges,): places in the flattened batch, and the tokens that follow them.
        places = np.concatenate([page.edges[:, 0] + i * width for i, page in enumerate(part)])
        tokens = np.concatenate([np.asarray(page.row.tokens)[page.edges[:, 1]] for page in part])
        predicted = model.next_token(hidden.flatten(0, 1)[torch.from_numpy(places).to(hidden.device)])
        summed = nn.functional.cross_entropy(
            predicted, torch.from_numpy(tokens).to(hidden.device), reduction="sum"
        )
        loss = loss + config.reading_weight * summed / sum(len(page.edges) for page in batch)
    return loss
