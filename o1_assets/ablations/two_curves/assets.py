"""The artifact of ablations/two_curves. It needs what the part `thinking` makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.ablations.two_curves.result import make_two_curves
from o1_assets.artifact import Artifact

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def artifacts(profile: Profile) -> list[Artifact]:
    key = "ablations/two_curves/result"
    return [
        Artifact(
            key=key,
            compute=make_two_curves,
            config=profile.ablations.two_curves,
            inputs={
                "summary": "eval/summary",
                "thinking": "eval/thinking",
                "base": "base/model",
                "generator": "generator/model",
                **{f"version_{k:02d}": f"r{k:02d}/policy" for k in range(profile.rounds + 1)},
            },
            description="Accuracy against training compute and against test-time compute, side by side.",
            group="ablations/two_curves",
            seed=profile.seed_of(key),
            kinds=("parquet", "polars"),
            part="ablations",
        )
    ]
