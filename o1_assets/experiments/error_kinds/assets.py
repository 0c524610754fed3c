"""The artifact of ablations/kinds; only where the base grew up on the corpus whose kinds these are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.experiments.error_kinds.config import KindsResultConfig
from o1_assets.experiments.error_kinds.result import QUESTION, make_kinds
from o1_assets.experiments.experiment import PART, ablation, base_of
from o1_assets.reward.estimate import distinct_tokens, read

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


KEY = f"{PART}/kinds/result"


def artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    return [
        ablation(
            profile,
            KEY,
            make_kinds,
            KindsResultConfig(**profile.ablations.kinds.model_dump(), corpus=base_of(profile).corpus),
            {
                **{f"prm_{k}": f"r{k}/prm" for k in rounds},
                **{f"orm_{k}": f"r{k}/orm" for k in rounds},
                **{f"eval_{k}": f"r{k}/eval" for k in rounds},
                "generator_eval": "eval/generator",
                "policy_eval": "eval/baby_o1",
                "generator": "generator/model",
                "test": "problems/test",
            },
            QUESTION,
            estimate=estimate_kinds,
        )
    ]


def estimate_kinds(context: EstimateContext, config: KindsResultConfig) -> Estimate:
    """Every reward model of the run reads a pool of GPT*'s and the last policy's solutions."""
    problems = context["generator_eval"].problems
    tokens = problems * distinct_tokens(context, config.prompt, 2 * config.samples, rl_rounds=1)
    models = (*context.starting_with("prm_"), *context.starting_with("orm_"))
    return Estimate(problems, cost=read(context, tokens, *models), stored=5 * CHART + 6 * TABLES)
