"""The artifact of the optional part `thinking`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.evaluation.thinking.estimate import estimate_thinking
from o1_assets.evaluation.thinking.evaluate import make_thinking

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def thinking_artifact(profile: Profile) -> Artifact:
    last = f"r{profile.rounds:02d}"
    return Artifact(
        key="eval/thinking",
        compute=make_thinking,
        config=profile.thinking,
        inputs={
            "base": "base/model",
            "generator": "generator/model",
            "policy": f"{last}/policy",
            "prm": f"{last}/prm",
            "q_value": f"{last}/q_value",
            "test": "problems/test",
        },
        seed=profile.seed_of("eval/thinking"),
        group="eval",
        description="What thinking longer buys, and who can use it: accuracy against test-time compute for "
        "every strategy, chains with limits and with doubts, four ways of prompting.",
        kinds=("parquet", "polars"),
        resource_class=profile.model_class,
        part="thinking",
        estimate=estimate_thinking,
    )
