"""problems/ood, ablations/pools/test and ablations/pools/ood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.experiments.experiment import ablation, base_of
from o1_assets.experiments.pools.config import PoolConfig
from o1_assets.experiments.pools.measure import make_ood, make_pool
from o1_assets.problems.config import ArithmeticFilter

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


OOD, TEST_POOL, OOD_POOL = "problems/ood", "ablations/pools/test", "ablations/pools/ood"


def artifacts(profile: Profile) -> list[Artifact]:
    """The problems out of distribution, and GPT*'s solutions of them and of problems/test."""
    config, judge = profile.ablations.pools, profile.ablations.judge
    corpus = base_of(profile).corpus
    limits = ArithmeticFilter(
        min_terms=corpus.min_terms,
        max_terms=corpus.max_terms,
        max_value=corpus.max_value,
        max_factor=corpus.max_factor,
    )
    ood = ablation(
        profile,
        OOD,
        make_ood,
        config.ood.model_copy(update={"corpus": limits}),
        {},
        "Held-out problems that are longer, have larger numbers, or come from another generator.",
        opens_models=False,
    )

    def pool(key: str, problems: str, count: int, longer: float) -> Artifact:
        return ablation(
            profile,
            key,
            make_pool,
            PoolConfig(
                problems=count,
                samples=config.samples,
                prompt=judge.prompt.scaled(longer),
                temperature=judge.temperature,
            ),
            {"generator": "generator/model", "problems": problems},
            f"{config.samples} solutions of GPT* for each of {count} problems of {problems}: what every "
            "experiment with verifiers judges.",
        )

    return [
        ood,
        pool(TEST_POOL, "problems/test", config.problems, 1.0),
        pool(OOD_POOL, OOD, config.ood_problems, config.longer),
    ]
