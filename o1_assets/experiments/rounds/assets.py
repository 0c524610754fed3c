"""The artifacts of ablations/rounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.experiment import PART, ablation
from o1_assets.experiments.pools.assets import TEST_POOL
from o1_assets.experiments.rounds.config import ArmConfig, ArmName
from o1_assets.experiments.rounds.result import QUESTION, RoundsResultConfig, make_rounds_result
from o1_assets.experiments.variants import make_arm
from o1_assets.labels.config import AnnotatorName, LabelBatchesConfig
from o1_assets.labels.estimate import estimate_labels
from o1_assets.policy.estimate import estimate_policy
from o1_assets.reward.estimate import distinct_tokens, estimate_prm, read
from o1_assets.rounds.estimate import estimate_selection, estimate_solutions

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


# The arms: rounds as the profile has them, and five ways that each leave one thing out.


@dataclass(frozen=True)
class Way:
    """What an arm does otherwise than `rounds`. says: in a few words."""

    says: str
    label: bool = True
    reinforce: bool = True
    at_once: bool = False
    uniform: bool = False
    newest_selects: bool = True


WAYS: dict[ArmName, Way] = {
    "rounds": Way("each round: the newest policy samples, the newest PRM selects, labels, PRM, RL"),
    "at_once": Way(
        "all labels at once, selected by PRM v0 from baby-o1 v0's samples; then as many PRM and RL updates",
        at_once=True,
        newest_selects=False,
    ),
    "uniform": Way("rounds, with labelled solutions drawn uniformly", uniform=True),
    "labels_without_rl": Way("rounds of labels and PRM, solutions always by baby-o1 v0", reinforce=False),
    "rl_without_labels": Way("as many RL updates with the reward models of round 0", label=False),
    "fixed_selector": Way("rounds, with PRM v0 selecting in every one", newest_selects=False),
}


def arm_config(profile: Profile, way: Way) -> ArmConfig:
    """The profile's later rounds at this experiment's size. Labels are a machine's: an experiment waits for nobody."""
    sizes = profile.ablations.rounds
    solutions, selection = profile.later_solutions, profile.later_selection
    if way.uniform:
        selection = selection.model_copy(update={"strategy": "uniform"})
    if way.at_once:
        solutions = solutions.model_copy(update={"problems": solutions.problems * sizes.rounds})
        selection = selection.model_copy(update={"solutions": selection.solutions * sizes.rounds})
    machine: AnnotatorName = "oracle" if profile.annotator == "human" else profile.annotator
    return ArmConfig(
        label=way.label,
        reinforce=way.reinforce,
        at_once=way.at_once,
        newest_selects=way.newest_selects,
        rounds=sizes.rounds,
        solutions=solutions,
        selection=selection,
        batches=LabelBatchesConfig(
            round="r01",
            protocol="sparse",
            annotator=machine,
            oracle=profile.oracle if machine == "oracle" else None,
            monte_carlo=profile.monte_carlo if machine == "monte_carlo" else None,
            quality=profile.quality,
        ),
        labels=profile.labels(1),
        prm=profile.later_prm.model_copy(update={"updates": sizes.prm_updates}),
        policy=profile.policy.model_copy(update={"updates": sizes.policy_updates}),
    )


GROUP = f"{PART}/rounds"


def artifacts(profile: Profile) -> list[Artifact]:
    """Each arm and seed, and the result. Equal seeds draw equal problems."""
    seeds = range(profile.ablations.seeds)
    ways = {name: WAYS[name] for name in profile.ablations.rounds.arms}
    arms = {
        f"{name}_{seed}": ablation(
            profile,
            f"{GROUP}/{name}_{seed}",
            make_arm,
            arm_config(profile, way),
            {
                "policy": "r00/policy",
                "prm": "r00/prm",
                "orm": "r00/orm",
                "labels": "r00/labels",
                "generator": "generator/model",
                "train": "problems/train",
            },
            f"{way.says[0].upper()}{way.says[1:]}; training {seed + 1} of {len(seeds)}.",
            seed_of=f"{GROUP}/{seed}",
            trains=True,
            estimate=estimate_arm,
        )
        for name, way in ways.items()
        for seed in seeds
    }
    result = ablation(
        profile,
        f"{GROUP}/result",
        make_rounds_result,
        RoundsResultConfig(
            arms=tuple(ArmWords(name=name, says=way.says) for name, way in ways.items()),
            seeds=profile.ablations.seeds,
            rounds=profile.ablations.rounds,
            judge=profile.ablations.judge,
        ),
        {
            "policy": "r00/policy",
            "prm": "r00/prm",
            "generator": "generator/model",
            "pool": TEST_POOL,
            "test": "problems/test",
            **{name: arm.key for name, arm in arms.items()},
        },
        QUESTION,
        estimate=estimate_result,
    )
    return [*arms.values(), result]


# Share of the sampled solutions that are left when none stands twice.
DIFFERENT = 0.55


def estimate_arm(context: EstimateContext, config: ArmConfig) -> Estimate:
    """Each round's stages at the sizes of the arm. What its own machine rates is not counted: labels are the run's."""
    rounds, total = config.rounds, Estimate(stored=6 * TABLES)
    first = context.config("labels"), context["labels"]
    policy = estimate_policy(context, config.policy)
    if config.label:
        pool = estimate_solutions(context, config.solutions)
        context = context.given("solutions", config.solutions, pool)
        selection = estimate_selection(context, config.selection)
        context = context.given("selection", config.selection, selection)
        labels = estimate_labels(context, config.labels)
        times = 1 if config.at_once else rounds
        total = sum([Estimate(cost=pool.cost + selection.cost)] * times, total)
        for k in range(1, rounds + 1):
            so_far = replace(labels, examples=labels.examples * min(k, times))
            given = context.given("labels_00", *first).given("labels_01", config.labels, so_far)
            prm = estimate_prm(given, config.prm)
            total += Estimate(cost=prm.cost, stored=prm.stored)
    if config.reinforce:
        total = sum([Estimate(cost=policy.cost)] * rounds, total + Estimate(stored=policy.stored))
    return replace(total, model=policy.model)


def estimate_result(context: EstimateContext, config: RoundsResultConfig) -> Estimate:
    """Every last policy samples; its PRM reads that, GPT*'s samples, and with all others a fixed pool."""
    judge, rounds, assumed = config.judge, config.rounds, context.assumptions
    trainings = len(config.arms) * config.seeds
    problems = min(judge.problems, context["test"].problems)
    cost = context.generate(
        "policy", trainings * problems * judge.samples * context.solution_tokens(judge.prompt)
    )
    read_each = distinct_tokens(context, judge.prompt, judge.samples, rl_rounds=2)
    cost += read(context, trainings * problems * read_each, "prm")
    held_out = min(context["pool"].problems, context["test"].problems)
    best_of = held_out * distinct_tokens(context, judge.prompt, rounds.best_of, rl_rounds=0)
    # The generator reads a set once, however many PRMs read it after.
    cost += context.score("prm", trainings * best_of) + context.score("generator", best_of)
    pool = trainings * rounds.pool_solutions * DIFFERENT
    tokens = problems * distinct_tokens(context, judge.prompt, pool / problems, rl_rounds=2)
    prms = 1 + trainings * rounds.rounds
    cost += context.score("prm", prms * tokens) + context.score("generator", tokens)
    stored = 2 * CHART + 6 * TABLES + trainings * problems * 16 + pool * assumed.solution_bytes
    return Estimate(problems, trainings * problems * judge.samples, cost=cost, stored=stored)
