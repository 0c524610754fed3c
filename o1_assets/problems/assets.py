"""problems/train and problems/test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.artifact import Artifact
from o1_assets.problems.split import make_test, make_train

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def problem_artifacts(profile: Profile) -> list[Artifact]:
    # Both draw from the source with one seed: the split is by content, the draw must be the same.
    common = {
        "config": profile.problems,
        "inputs": {},
        "group": "problems",
        "seed": profile.seed_of("problems"),
    }
    return [
        Artifact(
            key="problems/train",
            compute=make_train,
            description="Problems with ground-truth answers, deduplicated by content whatever their wording.",
            kinds=("parquet", "polars"),
            **common,
        ),
        Artifact(
            key="problems/test",
            compute=make_test,
            description="Held-out problems. Which side a problem is on is decided by the hash of its content, so no "
            "test problem occurs in train in any wording.",
            kinds=("parquet", "polars"),
            **common,
        ),
    ]
