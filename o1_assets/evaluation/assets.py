"""eval/generator and eval/summary. A round's own figures are rNN/eval (rounds/factory.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.artifact import Artifact
from o1_assets.evaluation.round_eval import make_generator_eval
from o1_assets.evaluation.summary import make_summary

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def evaluation_artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    last = rounds[-1]
    judged_by = {"generator": "generator/model", "prm": f"r{last}/prm", "orm": f"r{last}/orm"}
    return [
        Artifact(
            key="eval/generator",
            compute=make_generator_eval,
            config=profile.last_eval,
            inputs={**judged_by, "test": "problems/test"},
            seed=profile.seed_of("eval/generator"),
            group="eval",
            description="GPT* on the held-out problems, its solutions judged by the newest reward models: what "
            "baby-o1 and the reward models are held against.",
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
        ),
        Artifact(
            key="eval/summary",
            compute=make_summary,
            config=profile.summary,
            inputs={
                **{f"eval_{k}": f"r{k}/eval" for k in rounds},
                **{f"prm_{k}": f"r{k}/prm" for k in rounds},
                "generator_eval": "eval/generator",
                "generator": "generator/model",
                "test": "problems/test",
            },
            seed=profile.seed_of("eval/summary"),
            group="eval",
            description="All rounds side by side: learning curves, every PRM on one fixed pool, the headline figures.",
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
        ),
    ]
