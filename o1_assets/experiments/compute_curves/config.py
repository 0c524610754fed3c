"""Every number of ablations/two_curves."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig


class TwoCurvesConfig(StageConfig):
    """Nothing is trained or sampled for it: it reads what eval/summary and eval/thinking measured."""

    factor: float = Field(
        64.0, gt=1, description="test-time compute over which the line has to hold, at least"
    )
    target: float = Field(0.95, gt=0, le=1, description="R² of that line")
    resamples: int = Field(2000, gt=0, description="bootstrap samples of problems")
