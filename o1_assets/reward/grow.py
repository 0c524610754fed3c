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
from o1_assets.reward.model import grow_verifier
from o1_assets.reward.pages import MarkedPage
from o1_assets.reward.tree import collate, on_device_of


class GrowingVerifier(nn.Module):
    """The verifier that is kept, with the base's head for the next token, which is not.

    base: a causal checkpoint, to which the config's new layers are added.
    """

    def __init__(self, base: Path, config: VerifierConfig, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.verifier = grow_verifier(base, config.new_layers)
        self.next_token = cast(nn.Module, load_causal_lm(base, "float32").lm_head)

    @property
    def layers(self) -> nn.ModuleList:
        return cast(Any, self.verifier.backbone).base_model.layers

    def forward(self, pages: Sequence[MarkedPage]) -> tuple[Tensor, Tensor]:
        """Hidden states (pages, longest, hidden) and marks' logits (pages, longest, 3)."""
        backbone: Any = self.verifier.backbone
        inputs = collate([page.row for page in pages])
        inputs = on_device_of(backbone, inputs)
        hidden = backbone.base_model(
            inputs_embeds=self.verifier.embed(inputs.pop("input_ids"), None),
            use_cache=False,
            **inputs,
        ).last_hidden_state
        return hidden, backbone.score(hidden)


def page_loss(
    model: GrowingVerifier, config: VerifierConfig, batch: Sequence[MarkedPage], part: Sequence[MarkedPage]
) -> Tensor:
    """A part's share of a batch's loss: each of its three terms is a mean over the whole batch."""
    hidden, logits = model(part)
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
