"""Every experiment of the optional part `ablations`. A new one is a file beside search_in_rl.py, where its arms are
policies, or else a package, and a line here."""
"""Every experiment of the optional part `ablations`. A new one is a folder, or a file beside search_in_rl.py, and a
line here."""
"""Every experiment of the optional part `ablations`. A new one is a package beside two_curves and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.ablations.active.assets import artifacts as active
from o1_assets.ablations.chains import assets as chains
from o1_assets.ablations.experiment import experiment_artifacts
from o1_assets.ablations.scale.assets import artifacts as scale
from o1_assets.ablations.pools import assets as pools
from o1_assets.ablations.rl import assets as rl
from o1_assets.ablations.search_in_rl import search_in_rl
from o1_assets.ablations.verifiers import assets as verifiers
from o1_assets.ablations.two_curves import assets as two_curves

if TYPE_CHECKING:
    from o1_assets.artifact import Artifact
    from o1_assets.profiles.profile import Profile

EXPERIMENTS = (search_in_rl,)
PACKAGES = (active, scale)
"""Those whose arms are policies."""
OTHERS = (pools.artifacts, verifiers.artifacts, rl.artifacts, chains.artifacts)
"""In an order in which each finds its inputs made."""


def ablation_artifacts(profile: Profile) -> list[Artifact]:
    """Of all experiments, each result after the trainings that it compares."""
    return [
        *(a for make in EXPERIMENTS for a in experiment_artifacts(make(profile), profile)),
        *(a for make in PACKAGES for a in make(profile)),
        *(a for artifacts in OTHERS for a in artifacts(profile)),
        *two_curves.artifacts(profile),
        *(a for make in EXPERIMENTS for a in experiment_artifacts(make(profile), profile)),
    ]
