"""The artifact of ablations/two_curves. It needs what the part `thinking` makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.compute_curves.result import make_two_curves
from o1_assets.experiments.estimate import estimate_tables
from o1_assets.experiments.experiment import PART, ablation

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def artifacts(profile: Profile) -> list[Artifact]:
    return [
        ablation(
            profile,
            f"{PART}/two_curves/result",
            make_two_curves,
            profile.ablations.two_curves,
            {
                "summary": "eval/summary",
                "thinking": "eval/thinking",
                "base": "base/model",
                "generator": "generator/model",
                **{f"version_{k:02d}": f"r{k:02d}/policy" for k in range(profile.rounds + 1)},
            },
            "Accuracy against training compute and against test-time compute, side by side.",
            opens_models=False,
            estimate=estimate_tables,
        )
    ]
