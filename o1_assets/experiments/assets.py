"""Every experiment of the optional part `ablations`. A new one is a package beside this file, or a file like
search_in_rl.py where its arms are policies, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.base.config import BaseConfig
from o1_assets.experiments import versions
from o1_assets.experiments.active_learning import assets as active
from o1_assets.experiments.chains import assets as chains
from o1_assets.experiments.compute_curves import result as two_curves
from o1_assets.experiments.error_kinds import result as kinds
from o1_assets.experiments.experiment import experiment_artifacts
from o1_assets.experiments.model_size import assets as scale
from o1_assets.experiments.pools import assets as pools
from o1_assets.experiments.rewards import assets as rl
from o1_assets.experiments.rounds import assets as rounds
from o1_assets.experiments.search_in_rl.arms import search_in_rl
from o1_assets.experiments.verifiers import assets as verifiers

if TYPE_CHECKING:
    from o1_assets.core.artifact import Artifact
    from o1_assets.profiles.profile import Profile


PACKAGES = (two_curves, pools, versions, kinds, verifiers, rounds, rl, chains, active, scale)
"""In an order in which each finds its inputs made."""


def ablation_artifacts(profile: Profile) -> list[Artifact]:
    """Of all experiments, each result after the trainings that it compares.

    None for a base that was pre-trained elsewhere: the experiments rate steps with the exact checker, need to know what
    the corpus held, and judge with the prompt of the small models.
    """
    if not isinstance(profile.base, BaseConfig):
        return []
    return [
        *(artifact for package in PACKAGES for artifact in package.artifacts(profile)),
        *experiment_artifacts(search_in_rl(profile), profile),
    ]
