"""How a round is labelled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.artifact import StageConfig


class LabelBatchesConfig(StageConfig):
    """rNN/label_batches: who rates, and by which protocol (dense in r00, sparse later)."""

    round: str = Field(pattern=r"^r\d\d$")
    protocol: Literal["dense", "sparse"]
    annotator: Literal["oracle", "human"]
    source: str | None = Field(default=None, description="imported label source whose batches count too")


class LabelsConfig(StageConfig):
    """rNN/labels: the protocol that the batches have to keep to."""

    round: str = Field(pattern=r"^r\d\d$")
    protocol: Literal["dense", "sparse"]
