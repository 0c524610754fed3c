"""The curves of a training while it runs, in Dagster's UI: observations of the asset, which its Plots draw."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import dagster as dg

from o1_assets.engine.training.tracking import Receiver
from o1_assets.orchestration.keys import asset_key

EVERY_SECONDS = 15.0
"""From one observation to the next: each is an event that stays in Dagster's log."""


def live_curve(
    key: str,
    tell: Callable[[dg.AssetObservation], object],
    now: Callable[[], float] = time.monotonic,
    every: float = EVERY_SECONDS,
) -> Receiver:
    """Observes the asset's newest figures, at most every so many seconds; a training that takes less has none."""
    last = now()

    def receive(update: int, figures: Mapping[str, float]) -> None:
        nonlocal last
        if now() - last < every:
            return
        last = now()
        metadata: dict[str, float | int | str] = {"update": update, **figures}
        if names := os.environ.get("O1_TRACK"):
            metadata["tracked_by"] = names
        tell(dg.AssetObservation(asset_key(key), description=f"update {update}", metadata=metadata))

    return receive
