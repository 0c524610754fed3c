"""The artifact of ablations/versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.evaluation.config import SUBSETS_OF
from o1_assets.experiments.experiment import PART, ablation
from o1_assets.experiments.pools.assets import TEST_POOL
from o1_assets.experiments.versions.config import VersionsConfig
from o1_assets.experiments.versions.result import QUESTION, make_versions
from o1_assets.reward.estimate import distinct_tokens, read

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
            estimate=estimate_versions,
        )
    ]


def estimate_versions(context: EstimateContext, config: VersionsConfig) -> Estimate:
    """Every PRM of the run reads GPT*'s samples."""
    problems = min(context["pool"].problems, context["test"].problems)
    tokens = problems * distinct_tokens(context, config.prompt, SUBSETS_OF * config.best_of, rl_rounds=0)
    cost = read(context, tokens, *context.starting_with("prm_"))
    return Estimate(problems, cost=cost, stored=2 * CHART + 6 * TABLES)
