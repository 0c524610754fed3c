"""ablations/rounds: what do the rounds of labels do, against controls that each leave one thing out?

An arm is rounds 1 and up of the ordinary graph, from the loop's round 0 on. The ORM stays that of round 0 in all arms:
outcomes cost no labels, so training it on would add to every arm alike what is not the question.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import polars as pl

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet, scan_parquet
from o1_assets.evaluation.evaluate_policy import PRM
from o1_assets.experiments.active_learning.measure import draw
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.experiment import Arm, Experiment, Training, experiment_artifacts
from o1_assets.experiments.measure import policy_evaluation
from o1_assets.experiments.pools.assets import TEST_POOL
from o1_assets.experiments.rounds.config import ArmName, AtOncePRMConfig
from o1_assets.experiments.rounds.equal_labels import estimate_equal_labels, make_equal_labels
from o1_assets.experiments.rounds.result import make_rounds_result
from o1_assets.experiments.rounds.searched import searched_evaluation
from o1_assets.experiments.rounds.shown import QUESTION, RoundsResultConfig
from o1_assets.experiments.variants import PART, variant
from o1_assets.labels.config import machine_of
from o1_assets.policy.config import ReplayConfig
from o1_assets.reward.config import PRMConfig
from o1_assets.reward.estimate import distinct_tokens
from o1_assets.reward.train import make_prm
from o1_assets.rounds.config import SelectionConfig
from o1_assets.rounds.factory import build_round, round_name

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/rounds"


@dataclass(frozen=True)
class ArmSpec:
    """What an arm does otherwise than `rounds`. says: in a few words. off: the part of a round that it goes without."""

    says: str
    label: bool = True
    reinforce: bool = True
    at_once: bool = False
    uniform: bool = False
    newest_selects: bool = True
    off: Literal["search", "condemned", "written"] | None = None


ARMS: dict[ArmName, ArmSpec] = {
    "rounds": ArmSpec("each round: the newest policy samples, the newest PRM selects, labels, PRM, RL"),
    "at_once": ArmSpec(
        "all labels at once, selected by PRM v0 from baby-o1 v0's samples; then as many PRM and RL updates",
        at_once=True,
        newest_selects=False,
    ),
    "uniform": ArmSpec("rounds, with labelled solutions drawn uniformly", uniform=True),
    "labels_without_rl": ArmSpec("rounds of labels and PRM, solutions always by baby-o1 v0", reinforce=False),
    "rl_without_labels": ArmSpec("as many RL updates with the reward models of round 0", label=False),
    "fixed_selector": ArmSpec("rounds, with PRM v0 selecting in every one", newest_selects=False),
    "without_search": ArmSpec("rounds, with sampled solutions alone", off="search"),
    "without_condemned": ArmSpec(
        "rounds, with no share of right answers that the PRM condemns", off="condemned"
    ),
    "without_written": ArmSpec(
        "rounds, with no step that a labeller writes, and as many labels: more solutions are rated",
        off="written",
    ),
}


def chosen_arms(profile: Profile) -> tuple[ArmName, ...]:
    """The arms of the profile, without those that switch off what it does not have: they would be `rounds` again."""
    whole, asked = arm_profile(profile, ARMS["rounds"]), profile.ablations.rounds.arms
    return tuple(
        name
        for name in asked
        if ARMS[name].off is None or arm_profile(profile, ARMS[name]) != whole
        # Its number of labels is that of `rounds`, which therefore has to come first.
        if ARMS[name].off != "written" or "rounds" in asked[: asked.index(name)]
    )


def artifacts(profile: Profile) -> list[Artifact]:
    settings, names = profile.ablations, chosen_arms(profile)
    experiment = Experiment(
        name="rounds",
        question=QUESTION,
        arms=[
            Arm(name, ARMS[name].says, partial(train_arm, profile, name), settings.seeds) for name in names
        ],
        compute=make_rounds_result,
        config=RoundsResultConfig(
            arms=tuple(ArmWords(name=name, says=ARMS[name].says) for name in names),
            seeds=settings.seeds,
            rounds=settings.rounds,
            judge=settings.judge,
        ),
        inputs={
            "policy": "r00/policy",
            "prm": "r00/prm",
            "generator": "generator/model",
            "pool": TEST_POOL,
            "test": "problems/test",
        },
        opens_models=True,
        estimate=estimate_result,
    )
    return experiment_artifacts(experiment, profile)


def train_arm(profile: Profile, name: ArmName, seed: int) -> Training:
    """The arm's rounds, its evaluation, and what the result reads: that, and the PRM of every round."""
    arm, rounds = ARMS[name], profile.ablations.rounds.rounds
    prefix = f"{GROUP}/{name}_{seed}"
    numbers = range(1, rounds + 1)
    instead = {f"{round_name(k)}/orm": "r00/orm" for k in numbers}
    if not arm.reinforce:
        instead |= {f"{round_name(k)}/policy": "r00/policy" for k in numbers}
    if not arm.label:
        instead |= {f"{round_name(k)}/prm": "r00/prm" for k in numbers}
    # Equal seeds draw equal problems in every arm, so an arm's name is no part of them.
    first_seed = profile.seed_of(f"{GROUP}/{seed}")
    stages = stages_of(arm, arm_profile(profile, arm), rounds)
    if arm.off == "written":
        stages = [cut_to(f"{GROUP}/rounds_{seed}", stage) for stage in stages]
    made = variant(
        prefix,
        stages,
        lambda key: derive_seed(first_seed, key),
        f"{arm.says[0].upper()}{arm.says[1:]}; training {seed + 1} of {profile.ablations.seeds}.",
        instead,
    )

    def newest(stage: str) -> str:
        last = f"{round_name(rounds)}/{stage}"
        return instead.get(last, f"{prefix}/{last}")

    models = {
        "policy": newest("policy"),
        "prm": newest("prm"),
        "generator": "generator/model",
        "test": "problems/test",
    }
    result = f"{GROUP}/result"
    evaluation = policy_evaluation(
        profile, f"{prefix}/eval", models, result, draw=seed, greedy=False, selectors=(PRM,)
    )
    measured, read = [evaluation], {"": evaluation.key}
    if profile.ablations.rounds.searches:
        searched = searched_evaluation(profile, f"{prefix}/searched", models, result, seed)
        measured.append(searched)
        read["searched"] = searched.key
    prms = {f"prm_{k}": f"{prefix}/{round_name(k)}/prm" for k in numbers if arm.label}
    return Training([*made, *measured], {**read, **prms})


def arm_profile(profile: Profile, arm: ArmSpec) -> Profile:
    """The profile at this experiment's size. Labels are a machine's: an experiment waits for nobody."""
    sizes = profile.ablations.rounds
    solutions, selection = profile.later_solutions, profile.later_selection
    # A uniform choice is one of the policy's own samples, so that nothing would read what a search finds.
    if arm.uniform or arm.off == "search":
        solutions = solutions.model_copy(update={"searches": ()})
    if arm.off == "condemned":
        selection = selection.model_copy(update={"condemned_share": 0.0})
    prm = profile.later_prm.model_copy(update={"updates": sizes.prm_updates})
    policy = profile.policy.model_copy(update={"updates": sizes.policy_updates})
    if arm.off == "written" and selection.written_steps != "none":
        # Half as many again: enough to be cut down to the labels that `rounds` has with its written steps.
        update = {"written_steps": "none", "solutions": selection.solutions * 3 // 2}
        selection = selection.model_copy(update=update)
        prm = prm.model_copy(update={"written_positive": False})
        sources = tuple(source for source in policy.replay.sources if source != "written")
        # Without any other source nothing is replayed.
        replay = policy.replay.model_copy(update={"sources": sources}) if sources else ReplayConfig()
        policy = policy.model_copy(update={"replay": replay})
    if arm.uniform:
        selection = selection.model_copy(update={"strategy": "uniform"})
    if arm.at_once:
        searches = tuple(
            search.model_copy(update={"problems": search.problems * sizes.rounds})
            for search in solutions.searches
        )
        solutions = solutions.model_copy(
            update={"problems": solutions.problems * sizes.rounds, "searches": searches}
        )
        written = selection.most_written * sizes.rounds
        update = {"solutions": selection.solutions * sizes.rounds, "most_written": written}
        selection = selection.model_copy(update=update)
    return profile.model_copy(
        update={
            "annotator": machine_of(profile.annotator) or "oracle",
            "annotators": {},
            "switches": {},
            "label_source": None,
            "later_solutions": solutions,
            "later_selection": selection,
            "later_prm": prm,
            "policy": policy,
        }
    )


def stages_of(arm: ArmSpec, profile: Profile, rounds: int) -> list[Artifact]:
    """The artifacts of rounds 1 to `rounds` that the arm has, changed where it does something else."""
    chosen: list[Artifact] = []
    for k in range(1, rounds + 1):
        stages = {
            artifact.key.partition("/")[2]: artifact for artifact in build_round(k, profile, settings=None)
        }
        if arm.label and (k == 1 or not arm.at_once):
            chosen += _labelling(arm, k, stages)
        if arm.label:
            chosen.append(_prm_at_once(stages["prm"], rounds) if arm.at_once else stages["prm"])
        if arm.reinforce:
            last = {"prm": f"{round_name(rounds)}/prm"} if arm.at_once else {}
            chosen.append(_reading(stages["policy"], last))
    made = {artifact.key for artifact in chosen}
    chosen = [
        _of_this_arm(artifact, made) if artifact.key.endswith("/policy") else artifact for artifact in chosen
    ]
    # With all labels at once every policy reads the last PRM, so the PRMs come first; the sort is stable.
    return sorted(chosen, key=lambda artifact: arm.at_once and artifact.key.endswith("/policy"))


def _labelling(arm: ArmSpec, k: int, stages: Mapping[str, Artifact]) -> list[Artifact]:
    drawn = []
    solutions, selection = stages["solutions"], stages["selection"]
    if not arm.newest_selects:
        # Without searches the solutions read no PRM at all.
        solutions, selection = (
            _reading(stage, {"prm": "r00/prm"}) if "prm" in stage.inputs else stage
            for stage in (solutions, selection)
        )
    if arm.uniform:
        key = f"{round_name(k)}/drawn"
        inputs = {"solutions": f"{round_name(k)}/solutions"}
        drawn = [replace(selection, key=key, compute=draw_uniformly, inputs=inputs, estimate=estimate_drawn)]
        selection = _reading(selection, {"solutions": key})
    return [solutions, *drawn, selection, stages["label_batches"], stages["labels"]]


def _of_this_arm(policy: Artifact, made: Collection[str]) -> Artifact:
    """A policy whose replay reads round 0 and rounds of its arm; those that the arm lacks would be the main graph's."""
    inputs = {
        name: key
        for name, key in policy.inputs.items()
        if key in made
        or key.startswith(f"{round_name(0)}/")
        or not name.startswith(("labels_", "solutions_"))
    }
    return replace(policy, inputs=inputs)


def cut_to(control: str, artifact: Artifact) -> Artifact:
    """An arm's labels, cut to as many as the arm `control` has in the same round; other artifacts as they are."""
    if not artifact.key.endswith("/labels"):
        return artifact
    budget = {"budget": f"{control}/{artifact.key}"}
    return replace(_reading(artifact, budget), compute=make_equal_labels, estimate=estimate_equal_labels)


def _reading(artifact: Artifact, inputs: Mapping[str, str]) -> Artifact:
    return replace(artifact, inputs={**artifact.inputs, **inputs})


def _prm_at_once(prm: Artifact, rounds: int) -> Artifact:
    """The PRM of a round on all labels there are: those of round 0, and those of round 1 for all other rounds."""
    inputs = {
        name: key
        for name, key in prm.inputs.items()
        if not name.startswith("labels_") or name in ("labels_00", "labels_01")
    }
    config = AtOncePRMConfig(
        **{name: getattr(prm.config, name) for name in type(prm.config).model_fields}, rounds=rounds
    )
    return replace(prm, inputs=inputs, compute=make_prm_at_once, config=config)


def draw_uniformly(task: Task, config: SelectionConfig) -> Outcome:
    """Uniform baseline: sample with the policy's own frequencies, without deduplication. Input: solutions.

    The selection leaves equal texts out before it draws. Of the whole pool it would so take the rare ones too often,
    which are wrong more often: no fair rival of a choice.
    """
    pool = read_parquet(task.inputs["solutions"] / "solutions.parquet")
    drawn = draw(pool, config.per_problem, task.seed).head(config.solutions)
    drawn.write_parquet(task.out / "solutions.parquet")
    return Outcome({"solutions": drawn.height}, rows=drawn.height)


def make_prm_at_once(task: Task, config: AtOncePRMConfig) -> Outcome:
    """As `make_prm`; new labels are trained on as often as the rounds train on theirs, all rounds together."""
    first, new = (_solutions(task, name) for name in ("labels_00", "labels_01"))
    share = share_of_new(config.newest_share, first, new / config.rounds, config.rounds)
    fields = {name: getattr(config, name) for name in PRMConfig.model_fields}
    return make_prm(task, PRMConfig(**{**fields, "newest_share": share}))


def share_of_new(newest_share: float, first: float, a_round: float, rounds: int) -> float:
    """Of all examples trained on in `rounds` rounds, the share that is not of round 0.

    Round k's batches hold `newest_share` of the newest round and fill up uniformly from `first` solutions of round 0
    and `a_round` of each round between.
    """
    shares = []
    for k in range(1, rounds + 1):
        between = (k - 1) * a_round
        shares.append(newest_share + (1 - newest_share) * between / (first + between))
    return sum(shares) / rounds


def _solutions(task: Task, name: str) -> int:
    labels = scan_parquet(task.inputs[name] / "labels.parquet")
    return int(labels.select(pl.col("solution_id").n_unique()).collect().item())


def estimate_drawn(context: EstimateContext, config: SelectionConfig) -> Estimate:
    """A part of the solutions, as a table of its own."""
    pool = context["solutions"]
    samples = min(config.solutions, pool.samples)
    return Estimate(pool.problems, samples, examples=samples, stored=TABLES)


# Share of the sampled solutions that are left when none stands twice (nano).
DIFFERENT = 0.55


def estimate_result(context: EstimateContext, config: RoundsResultConfig) -> Estimate:
    """Every last PRM reads GPT*'s samples, and every PRM the fixed pool."""
    judge, rounds = config.judge, config.rounds
    trainings = len(config.arms) * config.seeds
    problems = min(judge.problems, context["test"].problems)
    held_out = min(context["pool"].problems, context["test"].problems)
    best_of = held_out * distinct_tokens(context, judge.prompt, rounds.best_of, rl_rounds=0)
    # The generator reads a set once, however many PRMs read it after.
    cost = context.score("prm", trainings * best_of) + context.score("generator", best_of)
    pool = trainings * rounds.pool_solutions * DIFFERENT
    tokens = problems * distinct_tokens(context, judge.prompt, pool / problems, rl_rounds=2)
    prms = 1 + trainings * rounds.rounds
    cost += context.score("prm", prms * tokens) + context.score("generator", tokens)
    measured = trainings * problems * 16
    return Estimate(
        problems,
        cost=cost,
        stored=2 * CHART + 6 * TABLES + measured + pool * context.assumptions.solution_bytes,
    )
