"""The artifacts of the experiment: a pool, held-out solutions, the selectors' scores, an arm a setting, strategy and
seed, and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact, Compute, StageConfig
from o1_assets.experiments.active_learning.config import (
    SAYS,
    SETTINGS,
    STRATEGIES,
    ActiveArmConfig,
    ActiveResultConfig,
    ActiveSelectorConfig,
    Setting,
)
from o1_assets.experiments.active_learning.measure import make_arm, make_scores
from o1_assets.experiments.active_learning.result import make_result
from o1_assets.experiments.experiment import ablation
from o1_assets.rounds.solutions import make_solutions

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile
    from o1_assets.reward.config import PRMConfig


GROUP = "ablations/active"


def artifacts(profile: Profile) -> list[Artifact]:
    """All of them, in the order of the data."""
    settings, seeds = profile.ablations.active, profile.ablations.seeds
    policy = policy_key(profile)

    def artifact(
        name: str,
        compute: Compute,
        config: StageConfig,
        inputs: dict[str, str],
        description: str,
        seed: str = "",
    ) -> Artifact:
        seed_of = f"{GROUP}/{seed or name}"
        return ablation(profile, f"{GROUP}/{name}", compute, config, inputs, description, seed_of=seed_of)

    def solutions(name: str, problems: str, count: int, samples: int) -> Artifact:
        sampled = profile.later_solutions.model_copy(update={"problems": count, "samples": samples})
        what = "are chosen from" if name == "pool" else "judge"
        inputs = {"policy": policy, "train": f"problems/{problems}"}
        return artifact(name, make_solutions, sampled, inputs, f"Solutions of {policy} that {what}.")

    made = [
        solutions("pool", "train", settings.pool_problems, settings.pool_samples),
        solutions("held_out", "test", settings.held_out_problems, settings.held_out_samples),
    ]
    base = {"generator": "generator/model", "pool": f"{GROUP}/pool", "train": "problems/train"}
    for seed in range(seeds):
        made.append(
            artifact(
                f"scores_{seed}",
                make_scores,
                ActiveSelectorConfig(
                    solutions=settings.selector_solutions, prm=prm_config(profile, "scratch")
                ),
                {**base, "prm": "r00/prm"},
                f"What the selectors think of the pool, training {seed + 1} of {seeds}.",
            )
        )
    arms = {}
    judged = {"held_out": f"{GROUP}/held_out", "test": "problems/test"}
    for setting in SETTINGS:
        of_setting = {"init": "generator/model" if setting == "scratch" else "r00/prm"}
        if setting == "added":
            of_setting["labels"] = "r00/labels"
        for strategy in STRATEGIES:
            for seed in range(seeds):
                scores = {} if strategy == "uniform" else {"scores": f"{GROUP}/scores_{seed}"}
                name = f"{setting}_{strategy}_{seed}"
                made.append(
                    artifact(
                        name,
                        make_arm,
                        ActiveArmConfig(
                            setting=setting,
                            strategy=strategy,
                            sizes=settings.sizes,
                            per_problem=settings.per_problem,
                            wrong_share=settings.wrong_share,
                            step_samples=settings.step_samples,
                            choice_seed=profile.seed_of(f"{GROUP}/choice_{seed}"),
                            prm=prm_config(profile, setting),
                        ),
                        {**base, **judged, **of_setting, **scores},
                        f"Active learning: PRMs {SAYS[setting]}, {SAYS[strategy]}, "
                        f"training {seed + 1} of {seeds}.",
                        # Equal seeds start alike, whatever they are trained on.
                        seed=f"training_{seed}",
                    )
                )
                arms[name] = made[-1].key
    compared = ActiveResultConfig(
        seeds=seeds,
        sizes=settings.sizes,
        samples=settings.held_out_samples,
        selector_solutions=settings.selector_solutions,
        policy=policy,
        resamples=settings.resamples,
    )
    question = "How many labels does it save to choose which solutions are labelled?"
    made.append(artifact("result", make_result, compared, arms, question))
    return made


def policy_key(profile: Profile) -> str:
    """Whose solutions are chosen from."""
    settings = profile.ablations.active
    return "generator/model" if settings.round < 0 else f"r{min(settings.round, profile.rounds):02d}/policy"


def prm_config(profile: Profile, setting: Setting) -> PRMConfig:
    """As the profile trains round 0's, or a later round's, with as many updates in both settings."""
    settings = profile.ablations.active
    own = profile.first_prm if setting == "scratch" else profile.later_prm
    return own.model_copy(
        update={
            "updates": settings.updates,
            "class_balance": settings.class_balance,
            "newest_share": settings.newest_share,
        }
    )
