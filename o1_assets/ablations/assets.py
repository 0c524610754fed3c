"""Every experiment of the optional part `ablations`. A new one is a package beside two_curves and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.ablations.experiment import experiment_artifacts
from o1_assets.ablations.search_in_rl import search_in_rl
from o1_assets.ablations.two_curves import assets as two_curves

if TYPE_CHECKING:
    from o1_assets.artifact import Artifact
    from o1_assets.profiles.profile import Profile

EXPERIMENTS = (search_in_rl,)


def ablation_artifacts(profile: Profile) -> list[Artifact]:
    """Of all experiments, each result after the trainings that it compares."""
    return [
        *two_curves.artifacts(profile),
        *(a for make in EXPERIMENTS for a in experiment_artifacts(make(profile), profile)),
    ]
