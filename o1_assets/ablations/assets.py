"""Every experiment of the optional part `ablations`. A new one is a file or folder beside this one and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.ablations.experiment import experiment_artifacts
from o1_assets.ablations.kinds.assets import artifacts as kinds_artifacts
from o1_assets.ablations.rounds.assets import artifacts as rounds_artifacts
from o1_assets.ablations.search_in_rl import search_in_rl
from o1_assets.ablations.versions.assets import artifacts as versions_artifacts

if TYPE_CHECKING:
    from o1_assets.artifact import Artifact
    from o1_assets.profiles.profile import Profile

EXPERIMENTS = (search_in_rl,)
"""Whose arms are policies."""
OTHERS = (rounds_artifacts, versions_artifacts, kinds_artifacts)


def ablation_artifacts(profile: Profile) -> list[Artifact]:
    """Of all experiments, each result after the trainings that it compares."""
    arms = [a for make in EXPERIMENTS for a in experiment_artifacts(make(profile), profile)]
    return [*arms, *(a for make in OTHERS for a in make(profile))]
