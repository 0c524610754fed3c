"""The artifact of ablations/versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.ablations.experiment import PART
from o1_assets.ablations.rounds.assets import POOL
from o1_assets.ablations.versions.result import QUESTION, make_versions
from o1_assets.artifact import Artifact

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

KEY = f"{PART}/versions/result"


def artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    return [
        Artifact(
            key=KEY,
            compute=make_versions,
            config=profile.ablations.versions,
            inputs={
                **{f"prm_{k}": f"r{k}/prm" for k in rounds},
                **{f"eval_{k}": f"r{k}/eval" for k in rounds},
                "summary": "eval/summary",
                "generator_eval": "eval/generator",
                "policy_eval": "eval/baby_o1",
                "generator": "generator/model",
                "pool": POOL,
                "test": "problems/test",
            },
            description=QUESTION,
            group=f"{PART}/versions",
            seed=profile.seed_of(KEY),
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
            part=PART,
        )
    ]
