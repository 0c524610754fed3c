"""The evaluation of an experiment's policies, each an artifact of its own, and the measures of policies and PRMs.

Because every policy is evaluated apart, another arm or another sentence in a result samples nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Artifact, Cost, Outcome, Task
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import MAJORITY, Pool, fooled_under_best_of_n
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.evaluation.evaluate_policy import PRM, Draw, EvalModels, evaluate_policy, held_out
from o1_assets.evaluation.statistics import Floats
from o1_assets.evaluation.steps import NO_ERROR, choose_threshold, predict_first_error
from o1_assets.experiments.experiment import Arm, Training, ablation
from o1_assets.experiments.variants import PART
from o1_assets.labels.annotators.exact_checker import first_error
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.reward.estimate import distinct_tokens, read

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

MEASURES, SOLUTIONS = "measures.parquet", "solutions.parquet"


class PolicyEvalConfig(SamplingConfig):
    """The evaluation of one trained policy.

    draw: the number of its training; policies with equal numbers are sampled with the same seeds. selectors: what
    chooses among all samples of a problem, as in `best_of_n.curves`.
    """

    draw: int
    greedy: bool = True
    selectors: tuple[str, ...] = (PRM, MAJORITY)


# What a training adds to the graph, and the key of the policy that comes out.
Made = tuple[Sequence[Artifact], str]
TEST: Mapping[str, tuple[str, Mapping[str, object]]] = {"": ("problems/test", {})}


def policy_arm(
    profile: Profile,
    group: str,
    name: str,
    says: str,
    models: Mapping[str, str],
    make: Callable[[int], Made],
    *,
    problem_sets: Mapping[str, tuple[str, Mapping[str, object]]] = TEST,
    reads_policy: bool = False,
) -> Arm:
    """An arm of the experiment with this prefix whose policies are compared, each with its evaluation.

    models: keys of prm and generator, which evaluate all arms alike. make: of a seed. problem_sets: name of an input of
    the result -> key of the problems, and fields of the evaluation that differ there. reads_policy: the result reads
    <arm>_<seed>_policy too.
    """

    def train(seed: int) -> Training:
        artifacts, policy = make(seed)
        evaluations = {
            which: policy_evaluation(
                profile,
                f"{group}/{name}_{which}_eval_{seed}" if which else f"{group}/{name}_eval_{seed}",
                {"policy": policy, "prm": models["prm"], "generator": models["generator"], "test": problems},
                f"{group}/result",
                draw=seed,
                **changes,
            )
            for which, (problems, changes) in problem_sets.items()
        }
        read = {which: evaluation.key for which, evaluation in evaluations.items()}
        if reads_policy:
            read["policy"] = policy
        return Training([*artifacts, *evaluations.values()], read)

    return Arm(name, says, train, profile.ablations.seeds)


def policy_evaluation(
    profile: Profile, key: str, inputs: Mapping[str, str], seed_of: str, **changes: object
) -> Artifact:
    """The artifact that evaluates a policy. inputs: keys of policy, prm, generator and test (problems). seed_of: equal
    for all policies that are compared. changes: fields that are not those of `ablations.judge`."""
    common = {name: getattr(profile.ablations.judge, name) for name in SamplingConfig.model_fields}
    return ablation(
        profile,
        key,
        make_policy_eval,
        PolicyEvalConfig.model_validate({**common, **changes}),
        inputs,
        "What the policy reaches on held-out problems.",
        seed_of=seed_of,
        estimate=estimate_policy_eval,
    )


def make_policy_eval(task: Task, config: PolicyEvalConfig) -> Outcome:
    """Inputs: policy, prm, generator, test (problems). Writes measures.parquet (measure, seed, problem, value) and
    solutions.parquet (all samples with the PRM's score)."""
    test = read_parquet(task.inputs["test"] / "problems.parquet")
    # Without the generator's own log-probabilities, which no measure here reads: they cost a pass over all samples.
    evaluation = evaluate_policy(
        task.open_engine(task.inputs["policy"]),
        EvalModels(task.inputs["prm"], task.inputs["generator"], log_probabilities=False),
        held_out(test, config.problems),
        config,
        [Draw.of(task.seed, config.draw)],  # equal numbers, equal random numbers: arms are compared in pairs
        greedy=derive_seed(task.seed, "greedy") if config.greedy else None,
        selectors=config.selectors,
        progress=task.progress,
    )
    evaluation.table.write_parquet(task.out / MEASURES)
    evaluation.solutions.write_parquet(task.out / SOLUTIONS)
    means = {name: float(values.mean()) for name, values in evaluation.measures(config.draw).items()}
    return Outcome({**means}, evaluation.cost, evaluation.solutions.height)


def estimate_policy_eval(context: EstimateContext, config: PolicyEvalConfig) -> Estimate:
    """Samples, perhaps a greedy solution a problem, and a pass of the PRM over what differs among the samples."""
    policy, problems = context.model("policy"), min(config.problems, context["test"].problems)
    solutions = problems * (config.samples + config.greedy)
    cost = context.generate("policy", solutions * context.solution_tokens(config.prompt))
    tokens = problems * distinct_tokens(context, config.prompt, config.samples, policy.rl_rounds)
    cost += read(context, tokens, "prm")
    stored = TABLES + context.solutions_bytes(problems, config.samples, policy.rl_rounds)
    return Estimate(problems, problems * config.samples, cost=cost, stored=stored)


def runs_of(task: Task, arms: Sequence[str], seeds: int, name: str = "") -> pl.DataFrame:
    """Every training of every arm as it was evaluated: what `arms.py` reads.

    Inputs of the task: <arm>_<seed>, or <arm>_<seed>_<name>, an evaluation. Columns: arm, seed, what the training cost
    (flops, tokens, updates), measure, value (mean over the problems), per_problem.
    """
    tables = []
    for arm in arms:
        for seed in range(seeds):
            run = f"{arm}_{seed}_{name}" if name else f"{arm}_{seed}"
            measures = per_problem(read_parquet(task.inputs[run] / MEASURES))
            table = pl.DataFrame(
                {
                    "measure": [measure.replace(f"{PRM}@", "best_of_") for measure in measures],
                    "value": [float(values.mean()) for values in measures.values()],
                    "per_problem": [values.tolist() for values in measures.values()],
                }
            )
            # Every row holds the cost of its training, so that the table can be read without anything beside it.
            trained = pl.DataFrame([{"arm": arm, "seed": seed, **training_cost(task, run)}])
            tables.append(trained.join(table, how="cross"))
    return pl.concat(tables)


def per_problem(measures: pl.DataFrame) -> dict[str, Floats]:
    """Measure -> [problems], of the table of one evaluation."""
    grouped = measures.group_by("measure", maintain_order=True).agg("value")
    return {name: np.array(values) for name, values in grouped.iter_rows()}


def training_cost(task: Task, evaluation: str) -> dict[str, float]:
    """flops, tokens_generated, tokens_scored, tokens_trained and updates of all that the experiments trained for an
    evaluated policy. What the loop had made before is not counted: all arms start from it."""
    # [:-1]: the last is the evaluation itself, which is no cost of the training.
    reports = [report for key, report in task.ancestry(evaluation)[:-1] if key.startswith(f"{PART}/")]
    cost = sum((report.cost for report in reports), Cost())
    return {**asdict(cost), "updates": sum(int(report.figures.get("updates") or 0) for report in reports)}


# Measures of policies and PRMs as sums over problems, so that problems and seeds can be drawn anew.
#
# A measure is parts [problems, values], what each problem adds, and a function from their sums to the figure.


def fooled_on_pool_parts(
    scores: Floats, correct: NDArray[np.bool_], problem: NDArray[np.int64], problems: int
) -> Floats:
    """Wrong-answer solutions above the median right-answer one (`fooled_on_pool`), and all wrong ones, a problem.

    problem: index of each solution's. The median is that of the whole pool, also where problems are drawn anew.
    """
    wrong = ~correct
    # Without a right answer there is no median to be above: nothing fooled, of nothing.
    if not correct.any():
        return np.zeros((problems, 2))
    fooled = wrong & (scores > np.median(scores[correct]))
    return np.stack([_count(fooled, problem, problems), _count(wrong, problem, problems)], axis=1)


def fooled_fresh_parts(pool: Pool, score: str, n: int, subsets: int, seed: int) -> Floats:
    """Per problem: the share of subsets of n that are mixed and whose best is wrong, and of those that are mixed."""
    m = pool.samples
    rows = []
    for p in range(len(pool.problem_ids)):
        right = int(pool.correct[p].sum())
        # The chance that a random subset of n holds right and wrong answers alike (hypergeometric): only such a subset
        # can be decided wrongly.
        mixed = 1 - (comb(right, n) + comb(m - right, n)) / comb(m, n)
        # One problem at a time, because problems are drawn anew; each has a random stream of its own for that reason.
        of_problem = Pool(
            (pool.problem_ids[p],),
            pool.correct[p : p + 1],
            pool.answers[p : p + 1],
            {score: pool.scores[score][p : p + 1]},
        )
        rate = fooled_under_best_of_n(of_problem, score, n, subsets, derive_seed(seed, p)) if mixed else None
        rows.append((mixed * (rate or 0.0), mixed if rate is not None else 0.0))
    return np.array(rows)


def step_parts(
    p_right: Sequence[Floats], truth: Sequence[int], problem: NDArray[np.int64], problems: int
) -> Floats:
    """Parts of `f1`. A solution is judged with the threshold chosen on the other half of the problems."""
    first, half = np.array(truth), problem % 2
    predicted = np.full(len(first), NO_ERROR)
    # A threshold that was chosen on the same problems would be fitted to what it is measured on.
    for side in (0, 1):
        other = np.flatnonzero(half != side)
        if not len(other):
            continue
        threshold = choose_threshold([p_right[i] for i in other], [truth[i] for i in other])
        for i in np.flatnonzero(half == side):
            predicted[i] = predict_first_error(p_right[i], threshold)
    right = first == NO_ERROR
    hit = predicted == first
    # Hits and counts, first of the solutions with an error, then of those without: `f1` divides the sums.
    columns = (hit & ~right, ~right, hit & right, right)
    return np.stack([_count(column, problem, problems) for column in columns], axis=1)


def first_errors(solutions: pl.DataFrame, problems: pl.DataFrame) -> list[int] | None:
    """The first wrong step of each solution, or NO_ERROR; None where the exact checker does not cover the problems."""
    oracle, by_id = Oracle(), {row["problem_id"]: row for row in problems.iter_rows(named=True)}
    if not all(oracle.covers(problem) for problem in by_id.values()):
        return None
    errors = (
        first_error(by_id[problem], steps)
        for problem, steps in solutions.select("problem_id", "steps").iter_rows()
    )
    return [NO_ERROR if index is None else index for index in errors]


def _count(hits: NDArray[np.bool_], problem: NDArray[np.int64], problems: int) -> Floats:
    return np.bincount(problem, weights=hits.astype(np.float64), minlength=problems).astype(np.float64)
