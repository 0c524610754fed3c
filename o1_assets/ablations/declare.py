"""How an experiment's artifacts are declared: all of them alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from o1_assets.artifact import Artifact, Compute, StageConfig
from o1_assets.base.config import BaseConfig

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

PART = "ablations"


def base_of(profile: Profile) -> BaseConfig:
    """How the base was pre-trained. Raises TypeError where that is not known."""
    if not isinstance(profile.base, BaseConfig):
        raise TypeError(
            f"the base of profile {profile.name} was pre-trained elsewhere, its corpus is not known"
        )
    return profile.base


def ablation(
    profile: Profile,
    key: str,
    compute: Compute,
    config: StageConfig,
    inputs: Mapping[str, str],
    description: str,
    *,
    seed_of: str = "",
    trains: bool = False,
    opens_models: bool = True,
) -> Artifact:
    """An artifact of the part, grouped by what stands before its name.

    seed_of: what its seed is derived from, the key where nothing is said; equal for arms that are to draw alike.
    trains: a checkpoint comes out of it, else tables. opens_models: False for what reads tables alone.
    """
    return Artifact(
        key=key,
        compute=compute,
        config=config,
        inputs=inputs,
        description=description,
        group=key.rpartition("/")[0],
        seed=profile.seed_of(seed_of or key),
        kinds=("pytorch", "huggingface") if trains else ("parquet", "polars"),
        resource_class=profile.model_class if opens_models else "cpu",
        part=PART,
    )
