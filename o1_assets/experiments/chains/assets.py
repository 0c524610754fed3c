"""ablations/chains: RL on the machine's own chains against SFT on chains that were written for it.

Its RL is an arm of ablations/rl. Each SFT makes as many updates as that, on as many solutions of the same problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from o1_assets.base.config import CorpusConfig
from o1_assets.core.artifact import Artifact, Cost, Outcome, StageConfig, Task
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.core.flops import flops_generate
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.statistics import bounds, interval
from o1_assets.experiments.arms import DECIDES, ArmWords, arms_result, measured
from o1_assets.experiments.chains.config import ChainSetConfig, Source
from o1_assets.experiments.experiment import Experiment, ablation, base_of, experiment_artifacts
from o1_assets.experiments.measure import TEST, Made, policy_arm, runs_of
from o1_assets.experiments.pools.assets import OOD
from o1_assets.experiments.result import Claim, write_result
from o1_assets.experiments.rewards.assets import GROUP as RL
from o1_assets.experiments.rewards.assets import arm_policy
from o1_assets.experiments.rewards.result import START, compared
from o1_assets.experiments.variants import PART
from o1_assets.generator.assets import estimate_generator
from o1_assets.generator.sft import make_generator
from o1_assets.policy.train import draw_problems
from o1_assets.problems.worlds.arithmetic.teacher import Teacher
from o1_assets.problems.worlds.arithmetic.world import expression_of

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/chains"

SAYS = {
    START: "GPT* as it is",
    "rl": "RL, rewarded by PRM and ORM",
    "own": "SFT on GPT*'s own right solutions",
    "written_few": "SFT on written solutions, as many as people had rated for RL's reward models",
    "written": "SFT on written solutions, as many as RL made",
}


def artifacts(profile: Profile) -> list[Artifact]:
    """None where ablations/rl leaves out the arm that stands for RL."""
    config, rl = profile.ablations.chains, profile.ablations.rl
    if config.arm not in rl.chosen:
        return []
    seeds, judge = profile.ablations.seeds, profile.ablations.judge
    policy = arm_policy(config.arm, profile.policy, rl)
    # One epoch in batches of this size is as many updates as RL makes, on as many solutions.
    sft = profile.sft.model_copy(update={"batch_size": policy.problems_per_update * policy.group_size})

    def fine_tuned(source: Source, seed: int) -> Made:
        def says(what: str) -> str:
            return f"{SAYS[source]}{what}, training {seed + 1} of {seeds}."

        chains = ChainSetConfig(
            source=source,
            policy=policy,
            teacher=base_of(profile).corpus,
            few=profile.first_selection.solutions,
            tries=config.tries,
        )
        solutions = ablation(
            profile,
            f"{GROUP}/{source}_set_{seed}",
            make_chain_set,
            chains,
            {"policy": "generator/model", "train": "problems/train"},
            says(": the solutions"),
            seed_of=f"{RL}/{seed}",
            estimate=estimate_set,
        )
        model = ablation(
            profile,
            f"{GROUP}/{source}_{seed}",
            make_generator,
            sft,
            {"base": "generator/model", "sft_set": solutions.key},
            says(""),
            seed_of=f"{RL}/{seed}",
            trains=True,
            estimate=estimate_generator,
        )
        return [solutions, model], model.key

    def make(arm: str, seed: int) -> Made:
        if arm == START:
            return [], "generator/model"
        if arm == "rl":
            return [], f"{RL}/{config.arm}_{seed}"
        return fine_tuned(cast(Source, arm), seed)

    # Out of distribution the expressions are longer, and so may be their solutions.
    longer = {"prompt": judge.prompt.scaled(profile.ablations.pools.longer)}
    models = {"generator": "generator/model", "prm": f"r{rl.round:02d}/prm"}
    experiment = Experiment(
        name="chains",
        question="Whether chains that the machine finds teach it more than perfect ones that were written for it.",
        arms=[
            policy_arm(
                profile,
                GROUP,
                arm,
                SAYS[arm],
                models,
                partial(make, arm),
                problem_sets={**TEST, OOD_RUN: (OOD, longer)},
            )
            for arm in SAYS
        ],
        compute=make_chains_result,
        config=ChainsResultConfig(
            arms=tuple(ArmWords(name=arm, says=says) for arm, says in SAYS.items()), seeds=seeds, judge=judge
        ),
        inputs={},
    )
    return experiment_artifacts(experiment, profile)


def estimate_set(context: EstimateContext, config: ChainSetConfig) -> Estimate:
    """GPT*'s own solutions are sampled, written ones cost nothing."""
    assumed, policy = context.assumptions, config.policy
    drawn = policy.batches * policy.problems_per_update
    examples = drawn * policy.group_size
    # Written solutions repeat: a tenth of them are new bytes in the column where they stand.
    samples, different = 0.0, examples * 0.1
    if config.source == "own":
        samples = min(drawn, context["train"].problems) * config.tries * policy.group_size
        different = min(examples, samples * assumed.kept_share)
    text = (assumed.question_tokens + assumed.solution_tokens) * assumed.bytes_a_token / 2
    return Estimate(
        drawn,
        samples,
        examples=examples,
        cost=context.generate("policy", samples * context.solution_tokens(policy.prompt)),
        stored=TABLES / 2 + different * text,
    )


# What SFT is to learn from: as many solutions as RL made, of the same problems.

# (problem_id, question, text).
Rows = list[tuple[str, str, str]]


def make_chain_set(task: Task, config: ChainSetConfig) -> Outcome:
    """Inputs: policy (GPT*), train (problems). Writes sft_set.parquet: solution_id, problem_id, question, text.

    The seed is that of RL's training, so that the problems are the same. Solutions that are too few are repeated.
    """
    problems = read_parquet(task.inputs["train"] / "problems.parquet")
    drawn = draw_problems(problems, config.policy, task.seed)
    each, cost = config.policy.group_size, Cost()
    # By source too: what is written and what is repeated are independent draws.
    rng = Random(derive_seed(task.seed, config.source))
    if config.source == "own":
        solutions, cost = own_solutions(task, drawn, config)
    else:
        few = config.source == "written_few"
        solutions = written(drawn[: config.few] if few else drawn, 1 if few else each, config.teacher, rng)
    wanted = len(drawn) * each
    rows = repeated_to(solutions, wanted, rng)
    table = pl.DataFrame(rows, schema=["problem_id", "question", "text"], orient="row")
    table = table.select(pl.int_range(pl.len()).cast(pl.String).alias("solution_id"), pl.all())
    table.write_parquet(task.out / "sft_set.parquet")
    figures = {
        "solutions": table.height,
        "different": table.n_unique(["problem_id", "text"]),
        "problems": table["problem_id"].n_unique(),
    }
    return Outcome({**figures}, cost, table.height, table.head(5).select("question", "text").to_dicts())


def written(problems: Sequence[dict[str, Any]], each: int, teacher: CorpusConfig, rng: Random) -> Rows:
    """`each` solutions a problem by a teacher without misconceptions, slips and shortcuts: every step is right.

    Raises ValueError at a problem that is not an expression: the teacher cannot write its solution.
    """
    perfect = teacher.model_copy(
        update={"misconception_scale": 0.0, "slip_rate": 0.0, "direct_rate": 0.0, "notice_rate": 0.0}
    )
    rows: Rows = []
    for problem in problems:
        expression = expression_of(problem)
        if expression is None:
            raise ValueError(f"the teacher can only solve expressions, not {problem['question']!r}")
        for _ in range(each):
            text = "\n".join(Teacher(perfect, rng).solve(expression)) + "\n"
            rows.append((problem["problem_id"], problem["question"], text))
    return rows


def own_solutions(
    task: Task, problems: Sequence[dict[str, Any]], config: ChainSetConfig
) -> tuple[Rows, Cost]:
    """The right ones among the policy's samples, at most a group's number of each problem."""
    from o1_assets.core.engine import SamplingParams
    from o1_assets.problems.solutions import sample_solutions

    policy = config.policy
    engine = task.open_engine(task.inputs["policy"])
    frame = pl.DataFrame(problems, infer_schema_length=None).unique("problem_id", maintain_order=True)
    solutions = sample_solutions(
        engine,
        frame,
        n=config.tries * policy.group_size,
        params=SamplingParams(policy.prompt.max_tokens, policy.temperature),
        seed=derive_seed(task.seed, "own"),
        prompt=policy.prompt,
    )
    tokens = int(solutions["token_ids"].list.len().sum())
    right = solutions.filter("correct").filter(pl.int_range(pl.len()).over("problem_id") < policy.group_size)
    chosen = right.join(frame.select("problem_id", "question"), on="problem_id", maintain_order="left")
    if chosen.is_empty():
        raise ValueError("none of the policy's solutions is right: there is nothing to fine-tune on")
    cost = Cost(flops_generate(engine.parameters, tokens), tokens_generated=tokens)
    engine.close()
    return chosen.select("problem_id", "question", "text").rows(), cost


def repeated_to(rows: Rows, wanted: int, rng: Random) -> Rows:
    """`wanted` rows: all of them as often as it goes, and some once more, drawn without replacement."""
    # Whole repetitions first: no solution is seen two times more often than another.
    whole, rest = divmod(wanted, len(rows))
    return [*(rows * whole), *rng.sample(rows, rest)]


# RL on the machine's own chains against SFT on chains that were written for it.

TITLE = "Machine-made chains against written ones"
QUESTION = "Does a policy learn more from chains that it finds itself than from perfect ones written for it?"
PAIRS = (("rl", "written"), ("rl", "written_few"), ("rl", "own"), ("written", "own"))

# Name of an evaluation on problems out of distribution, and how the names of its measures end.
OOD_RUN, OOD_SUFFIX = "ood", "_ood"

LIMITS = (
    "All arms start from GPT* and make equal updates on equal numbers of solutions. RL's are of its own, rewarded by "
    "models that learnt from rated steps; SFT's are all right. `written` is of the problems that RL saw, `own` of "
    "those among them that GPT* solved, filtered by true answers, which RL never sees, `written_few` of the first.",
    "SFT's learning rate is the generator's and RL's is the experiment's: neither was tuned here.",
    "The writer is the program that wrote the corpus, without its errors: its chains have the very form of GPT*'s own "
    "and no wrong step, which people's would not have. `written_few` has as many different ones as people had rated "
    "solutions for RL's reward models.",
)


class ChainsResultConfig(StageConfig):
    """arms: GPT* as it is first."""

    arms: tuple[ArmWords, ...]
    seeds: int
    judge: EvalConfig


def make_chains_result(task: Task, config: ChainsResultConfig) -> Outcome:
    """Inputs: <arm>_<seed> and <arm>_<seed>_ood, evaluations on problems of both kinds.

    Writes runs.parquet beside what `write_result` does.
    """
    arms = [arm.name for arm in config.arms]
    unlike = runs_of(task, arms, config.seeds, OOD_RUN).with_columns(pl.col("measure") + OOD_SUFFIX)
    runs = pl.concat([runs_of(task, arms, config.seeds), unlike])
    runs.write_parquet(task.out / "runs.parquet")
    seed, resamples = derive_seed(task.seed, "bootstrap"), config.judge.resamples
    claims: list[Claim] = []
    sentences: list[str] = []
    for measure in runs["measure"].unique(maintain_order=True):
        values = measured(runs, arms, measure)
        for arm, other in PAIRS:
            difference = interval(values[arm] - values[other], resamples, seed)
            sentences.append(compared(f"{arm} against {other}, {measure}", difference))
            if measure == DECIDES:
                says = f"{DECIDES} of {arm} minus that of {other}"
                claims.append(Claim(f"chains.{arm}_minus_{other}", says, *bounds(difference)))
    whole = arms_result("chains", TITLE, QUESTION, config.arms, runs, config.judge, seed)
    result = replace(whole, claims=[*whole.claims, *claims]).with_notes(*sentences, *LIMITS)
    write_result(task.out, result)
    decides = measured(runs, arms, DECIDES)
    figures = {f"{DECIDES} {arm}": float(decides[arm].mean()) for arm in arms}
    return Outcome({**figures}, rows=runs.height, sample=result.tables["arms"].frame.to_dicts())
