"""What is evaluated over all rounds. A round's own figures are rNN/eval (rounds/factory.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.evaluation.estimate import estimate_round_eval, estimate_summary
from o1_assets.evaluation.round_eval import make_round_eval
from o1_assets.evaluation.summary import make_summary
from o1_assets.evaluation.thinking.assets import thinking_artifact

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def evaluation_artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    last = rounds[-1]

    def headline_eval(key: str, policy: str, description: str) -> Artifact:
        return Artifact(
            key=key,
            compute=make_round_eval,
            config=profile.headline_eval,
            inputs={
                "policy": policy,
                "generator": "generator/model",
                "prm": f"r{last}/prm",
                "orm": f"r{last}/orm",
                "test": "problems/test",
            },
            seed=profile.seed_of(key),
            group="eval",
            description=description,
            kinds=("parquet", "polars"),
            estimate=estimate_round_eval,
            resource_class=profile.model_class,
        )

    return [
        headline_eval(
            "eval/generator",
            "generator/model",
            "GPT* on the held-out problems, its solutions judged by the newest reward models: what baby-o1 is held "
            "against, and where reward models are compared, because its samples are not yet nearly all right.",
        ),
        headline_eval(
            "eval/baby_o1",
            f"r{last}/policy",
            "The last baby-o1 on the same problems, measured as GPT* is.",
        ),
        Artifact(
            key="eval/summary",
            compute=make_summary,
            config=profile.summary,
            inputs={
                **{f"eval_{k}": f"r{k}/eval" for k in rounds},
                **{f"prm_{k}": f"r{k}/prm" for k in rounds},
                "generator_eval": "eval/generator",
                "policy_eval": "eval/baby_o1",
                "generator": "generator/model",
                "test": "problems/test",
            },
            seed=profile.seed_of("eval/summary"),
            group="eval",
            estimate=estimate_summary,
            description="All rounds side by side: learning curves, every PRM on one fixed pool, the headline figures.",
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
        ),
        thinking_artifact(profile),
    ]
