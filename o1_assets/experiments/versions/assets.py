"""The artifact of ablations/versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.experiment import PART, ablation
from o1_assets.experiments.pools.assets import TEST_POOL
from o1_assets.experiments.versions.result import QUESTION, make_versions

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


KEY = f"{PART}/versions/result"


def artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    return [
        ablation(
            profile,
            KEY,
            make_versions,
            profile.ablations.versions,
            {
                **{f"prm_{k}": f"r{k}/prm" for k in rounds},
                **{f"eval_{k}": f"r{k}/eval" for k in rounds},
                "summary": "eval/summary",
                "generator_eval": "eval/generator",
                "policy_eval": "eval/baby_o1",
                "generator": "generator/model",
                "pool": TEST_POOL,
                "test": "problems/test",
            },
            QUESTION,
        )
    ]
