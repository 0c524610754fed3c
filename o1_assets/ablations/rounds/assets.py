"""The artifacts of ablations/rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.ablations.arms import ArmWords
from o1_assets.ablations.declare import PART, ablation
from o1_assets.ablations.pools.assets import TEST_POOL
from o1_assets.ablations.rounds.arms import WAYS, arm_config
from o1_assets.ablations.rounds.loop import make_arm
from o1_assets.ablations.rounds.result import QUESTION, RoundsResultConfig, make_rounds_result
from o1_assets.artifact import Artifact

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/rounds"


def artifacts(profile: Profile) -> list[Artifact]:
    """Each arm and seed, and the result. Equal seeds draw equal problems."""
    seeds = range(profile.ablations.seeds)
    ways = {name: WAYS[name] for name in profile.ablations.rounds.arms}
    arms = {
        f"{name}_{seed}": ablation(
            profile,
            f"{GROUP}/{name}_{seed}",
            make_arm,
            arm_config(profile, way),
            {
                "policy": "r00/policy",
                "prm": "r00/prm",
                "orm": "r00/orm",
                "labels": "r00/labels",
                "generator": "generator/model",
                "train": "problems/train",
            },
            f"{way.says[0].upper()}{way.says[1:]}; training {seed + 1} of {len(seeds)}.",
            seed_of=f"{GROUP}/{seed}",
            trains=True,
        )
        for name, way in ways.items()
        for seed in seeds
    }
    result = ablation(
        profile,
        f"{GROUP}/result",
        make_rounds_result,
        RoundsResultConfig(
            arms=tuple(ArmWords(name=name, says=way.says) for name, way in ways.items()),
            seeds=profile.ablations.seeds,
            rounds=profile.ablations.rounds,
            judge=profile.ablations.judge,
        ),
        {
            "policy": "r00/policy",
            "prm": "r00/prm",
            "generator": "generator/model",
            "pool": TEST_POOL,
            "test": "problems/test",
            **{name: arm.key for name, arm in arms.items()},
        },
        QUESTION,
    )
    return [*arms.values(), result]
