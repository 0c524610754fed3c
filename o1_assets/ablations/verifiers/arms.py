"""The arms: each is a reward model, named by what it is and how many labelled solutions it learns from."""

from __future__ import annotations

from o1_assets.ablations.verifiers.config import TrainingConfig, VerifiersConfig
from o1_assets.reward.config import ORMConfig, PRMConfig

EVERY = "orm_all"
"""The best supplied ORM: the outcomes of all sampled solutions."""


def prm(size: int) -> str:
    return f"prm_{size}"


def orm(size: int) -> str:
    """On the solutions of prm(size), supervised by the final answer."""
    return f"orm_{size}"


def bare(size: int) -> str:
    """prm(size) without the probability feature."""
    return f"prm_bare_{size}"


def large_process(size: int) -> str:
    return f"prm_by_large_{size}"


def large_outcome(size: int) -> str:
    return f"orm_by_large_{size}"


def trainings(
    config: VerifiersConfig, prm_config: PRMConfig, orm_config: ORMConfig
) -> dict[str, TrainingConfig]:
    """Arm -> its training. All problems are trained on: what is held out for judging is in other tables."""
    same = {"updates": config.updates, "holdout": 0.0}
    process = prm_config.model_copy(update=same)
    outcome = orm_config.model_copy(update={**same, "solutions": None})

    def arm(supervision: str, size: int | None, training: PRMConfig | ORMConfig) -> TrainingConfig:
        return TrainingConfig.model_validate(
            {
                "supervision": supervision,
                "solutions": size,
                "threshold": config.threshold,
                "training": training,
            }
        )

    largest = config.sizes[-1]
    without = process.model_copy(update={"probability_feature": False})
    return {
        **{prm(size): arm("labels", size, process) for size in config.sizes},
        **{orm(size): arm("answer", size, outcome) for size in config.sizes},
        EVERY: arm("answer", None, outcome),
        bare(largest): arm("labels", largest, without),
        **{large_process(size): arm("large_steps", size, process) for size in config.compared},
        **{large_outcome(size): arm("large_outcome", size, outcome) for size in config.compared},
    }
