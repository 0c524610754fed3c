"""Reward models that learn from the same solutions in different ways, and what each is worth as a verifier.

Four steps, each an artifact: `make_labelled` rates solutions that were drawn at random; `train_verifier` trains one
reward model on a part of them with one of four kinds of supervision; `score_pools` scores the pools of held-out
solutions with all models of one training seed; `accuracies` draws best of N for the result.

Models of equal size and seed learn from the same solutions, and a smaller number is a part of a larger one. So they
differ in what they were told of these solutions, and in nothing else.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.files import publish
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, WEIGHTED, Pool, curves, powers_of_two
from o1_assets.evaluation.evaluate_policy import held_out
from o1_assets.evaluation.statistics import Floats
from o1_assets.experiments.pools.measure import distinct
from o1_assets.experiments.verifiers.config import (
    EVERY,
    ScoresConfig,
    TrainingConfig,
    VerifiersResultConfig,
    prm,
)
from o1_assets.labels.annotators.annotator import rate_selection
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.protocol import DENSE
from o1_assets.labels.selection import Selection
from o1_assets.reward.aggregate import Aggregation, Neutral, solution_score
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.reward.train import make_orm, make_prm
from o1_assets.rounds.config import SelectionConfig
from o1_assets.rounds.selection import make_selection

if TYPE_CHECKING:
    from o1_assets.reward.score import Scorer


LABELS_SCHEMA: dict[str, Any] = {
    "solution_id": pl.String, "problem_id": pl.String, "question": pl.String, "step": pl.Int32,
    "completion": pl.Int32, "text": pl.String, "rating": pl.Int8,
}  # fmt: skip


def make_labelled(task: Task, config: SelectionConfig) -> Outcome:
    """GPT*'s solutions drawn uniformly at random, rated by the exact checker as phase 1 is.

    There are more of them than round 0 rates, because accuracy is wanted against their number. Writes
    solutions.parquet and completions.parquet as rNN/selection does, and labels.parquet: one row for each rated
    completion. Inputs: solutions, policy, train. Raises ValueError where the exact checker cannot rate a problem.
    """
    drawn = make_selection(task, config)
    selection = Selection.load(task.out, task.inputs["train"])
    ids = list(selection.solution_ids)
    ratings = rate_selection(selection, DENSE, Oracle(), set(ids))
    unrated = next((solution for solution in ids if solution not in ratings), None)
    if unrated is not None:
        problem = selection.problem_of[unrated]["problem_id"]
        raise ValueError(
            f"ablations/verifiers needs problems with an exact checker, and {problem} has none; use a source of "
            "arithmetic problems (problems.source) or leave this experiment out"
        )
    rows = [
        {
            "solution_id": solution,
            "problem_id": selection.problem_of[solution]["problem_id"],
            "question": selection.problem_of[solution]["question"],
            "step": slot.step,
            "completion": slot.completion,
            "text": selection.steps[solution][slot.step][slot.completion],
            "rating": rating,
        }
        for solution in ids
        for slot, rating in sorted(ratings[solution].items())
    ]
    labels = pl.DataFrame(rows, schema=LABELS_SCHEMA)
    labels.write_parquet(task.out / "labels.parquet")
    counts = dict(labels.group_by("rating").len().iter_rows())
    figures = {
        name: counts.get(rating, 0) for name, rating in (("negative", -1), ("neutral", 0), ("positive", 1))
    }
    return replace(drawn, figures={**drawn.figures, "labels": labels.height, **figures})


def train_verifier(task: Task, config: TrainingConfig) -> Outcome:
    """Inputs: init (what it starts from), generator, train (problems), solutions (all that were sampled), labelled
    (those that were rated), and large (a PRM) where it supervises. Writes a reward model."""
    labels = read_parquet(task.inputs["labelled"] / "labels.parquet")
    if config.solutions is None:
        solutions = read_parquet(task.inputs["solutions"] / "solutions.parquet")
    else:
        chosen = read_parquet(task.inputs["labelled"] / "solutions.parquet")
        solutions = draw(chosen, labels, config.solutions, task.seed)
    cost = Cost()
    if config.supervision in ("large_steps", "large_outcome"):
        # The large PRM's verdicts replace both kinds of truth: the ratings, and the outcome that an ORM learns.
        labels, cost = rate_with_large_prm(task, solutions, config)
        solutions = solutions.with_columns(correct=called_right(solutions, labels))
    # The ordinary trainings read folders of a round, so one is laid out for them.
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        labels.join(solutions.select("solution_id"), on="solution_id", how="semi").write_parquet(
            folder / "labels.parquet"
        )
        solutions.write_parquet(folder / "solutions.parquet")
        inputs = {name: task.inputs[name] for name in ("init", "generator", "train")}
        inputs |= {"labels_00": folder, "solutions_00": folder}
        training = replace(task, inputs=inputs, seed=derive_seed(task.seed, "training"))
        if isinstance(config.training, PRMConfig):
            trained = make_prm(training, config.training)
        else:
            assert isinstance(config.training, ORMConfig)
            trained = make_orm(training, config.training)
    return replace(trained, cost=trained.cost + cost)


def draw(chosen: pl.DataFrame, labels: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """`count` of the rated solutions, or all where there are fewer; the first of one random order."""
    rated = chosen.join(labels.select("solution_id").unique(), on="solution_id", how="semi").sort(
        "solution_id"
    )
    return rated.sample(fraction=1.0, shuffle=True, seed=derive_seed(seed, "draw")).head(count)


def rate_with_large_prm(
    task: Task, solutions: pl.DataFrame, config: TrainingConfig
) -> tuple[pl.DataFrame, Cost]:
    """The large PRM's ratings in the form of labels: a solution's steps up to the first that it calls wrong.

    A step is rated -1 where P(negative) is above the threshold, else +1 (Lightman et al. 2023, appendix H).
    """
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.aggregate import NEGATIVE
    from o1_assets.reward.score import load_scorer

    questions = read_parquet(task.inputs["train"] / "problems.parquet").select("problem_id", "question")
    asked = solutions.join(questions, on="problem_id", how="inner", maintain_order="left")
    tokenizer = load_tokenizer(task.inputs["generator"])
    prompts = config.training.prompt.encode(tokenizer, asked["question"].to_list())
    scorer = load_scorer(task.inputs["large"], task.inputs["generator"])
    read = scorer.step_probabilities(prompts, asked["token_ids"].to_list())
    rows = []
    for solution, probabilities in zip(asked.iter_rows(named=True), read, strict=True):
        for step, text in enumerate(solution["steps"]):
            rating = -1 if probabilities[step, NEGATIVE] > config.threshold else 1
            rows.append(
                {
                    "solution_id": solution["solution_id"],
                    "problem_id": solution["problem_id"],
                    "question": solution["question"],
                    "step": step,
                    "completion": 0,
                    "text": text,
                    "rating": rating,
                }
            )
            if rating < 0:
                break
    return pl.DataFrame(rows), scorer.cost()


def called_right(solutions: pl.DataFrame, labels: pl.DataFrame) -> pl.Series:
    """For each solution whether it has steps and none of them is rated wrong."""
    right = labels.group_by("solution_id").agg(right=pl.col("rating").min() > 0)
    verdicts = solutions.select("solution_id").join(
        right, on="solution_id", how="left", maintain_order="left"
    )
    return verdicts["right"].fill_null(False)


POOLS = ("test", "ood")
CHUNK_PROBLEMS = 25
"""Problems that are scored together, so that memory stays bounded."""

OTHER_AGGREGATIONS: tuple[tuple[Aggregation, Neutral], ...] = (
    ("product", "wrong"),
    ("minimum", "right"),
    ("minimum", "wrong"),
)


def selector_name(arm: str, aggregation: Aggregation, neutral: Neutral) -> str:
    """A PRM's column: "prm_100", or "prm_100:minimum:wrong" for another way of adding up its steps."""
    return arm if (aggregation, neutral) == ("product", "right") else f"{arm}:{aggregation}:{neutral}"


def score_pools(task: Task, config: ScoresConfig) -> Outcome:
    """Scores of all models of one training seed; the generator's pass that they share is made once.

    Inputs: generator, test, ood (pools), and each arm's reward model by its name. Writes <pool>.parquet (whole pools,
    main models) and <pool>_part.parquet (the first problems and samples, all other models): problem_id, sample, and a
    column for each selector. "<arm>" is a model's score: a PRM's product with neutral steps as right.
    """
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import load_reward_model
    from o1_assets.reward.score import Scorer, open_generator

    generator = open_generator(task.inputs["generator"])
    device = generator.device
    models = {
        arm: load_reward_model(task.inputs[arm], "float32" if device.type == "cpu" else "auto").to(device)
        for arm in config.arms
    }
    tokenizer = load_tokenizer(task.inputs["generator"])
    cost, rows = Cost(), 0
    for pool in POOLS:
        solutions = read_parquet(task.inputs[pool] / "solutions.parquet")
        problems = read_parquet(task.inputs[pool] / "problems.parquet")
        part = part_of(solutions, held_out(problems, config.problems)["problem_id"].to_list(), config.samples)
        rest = [arm for arm in config.arms if arm not in config.main]
        for name, table, arms in ((pool, solutions, list(config.main)), (f"{pool}_part", part, rest)):
            scorer = Scorer([models[arm] for arm in arms], generator, tokenizer)
            prompts = _prompts(tokenizer, problems, config.prompt)
            frame, spent = kept(task, name, partial(_scored, task, name, table, prompts, scorer, arms))
            frame.write_parquet(task.out / f"{name}.parquet")
            cost += spent
            rows += frame.height
    return Outcome(figures={"models": len(models), "solutions": rows}, cost=cost, rows=rows)


def part_of(solutions: pl.DataFrame, problem_ids: Sequence[str], samples: int) -> pl.DataFrame:
    """The first samples of these problems."""
    return solutions.filter((pl.col("sample") < samples) & pl.col("problem_id").is_in(list(problem_ids)))


def _prompts(tokenizer: Any, problems: pl.DataFrame, prompt: PromptFormat) -> dict[str, list[int]]:
    encoded = prompt.encode(tokenizer, problems["question"].to_list())
    return dict(zip(problems["problem_id"].to_list(), encoded, strict=True))


def _scored(
    task: Task,
    name: str,
    solutions: pl.DataFrame,
    prompts: dict[str, list[int]],
    scorer: Scorer,
    arms: Sequence[str],
) -> tuple[pl.DataFrame, Cost]:
    ids = solutions["problem_id"].unique(maintain_order=True).to_list()
    parts, cost = [], Cost()
    for start in range(0, len(ids), CHUNK_PROBLEMS):
        part = solutions.filter(pl.col("problem_id").is_in(ids[start : start + CHUNK_PROBLEMS]))
        # A policy writes many solutions more than once; each is read once and its score copied by `index`.
        once, index = distinct(part)
        scores, spent = scorer.score_all(
            [prompts[problem] for problem in once["problem_id"]], once["token_ids"].to_list()
        )
        cost += spent
        columns = _columns(scores, arms)
        parts.append(
            part.select("problem_id", "sample").with_columns(
                pl.Series(column, values[index], dtype=pl.Float64) for column, values in columns.items()
            )
        )
        task.progress(f"{name}: scored {min(start + CHUNK_PROBLEMS, len(ids))} of {len(ids)} problems")
    return pl.concat(parts), cost


def _columns(
    scores: Sequence[Sequence[NDArray[np.float64]]], arms: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Selector -> score of each solution; an ORM's is P(right) at the last step, 0 for a solution without steps.

    scores: for each arm and solution (steps, classes); an ORM has two classes, a PRM three.
    """
    columns = {}
    for arm, of_arm in zip(arms, scores, strict=True):
        if of_arm and of_arm[0].shape[1] == 2:
            columns[arm] = np.array([float(steps[-1, 1]) if len(steps) else 0.0 for steps in of_arm])
            continue
        columns[arm] = np.array([solution_score(steps) for steps in of_arm])
        for aggregation, neutral in OTHER_AGGREGATIONS:
            columns[selector_name(arm, aggregation, neutral)] = np.array(
                [solution_score(steps, aggregation, neutral) for steps in of_arm]
            )
    return columns


LEAST_LIKELY = "min_logprob"
ALL, PART = "all", "part"
SCHEMA: dict[str, Any] = {
    "pool": pl.String, "problems": pl.String, "selector": pl.String, "seed": pl.Int32, "n": pl.Int32,
    "accuracy": pl.Float64, "per_problem": pl.List(pl.Float64),
}  # fmt: skip
"""problems: ALL of the pool with all samples, or the PART that every model scored. per_problem: mean over random
subsets, in the order of problem ids."""


def main_selectors(size: int) -> list[str]:
    """What is drawn against N, from scores of whole pools."""
    best = prm(size)
    aggregations = [selector_name(best, *other) for other in OTHER_AGGREGATIONS]
    return [best, EVERY, LEAST_LIKELY, MAJORITY, WEIGHTED + best, WEIGHTED + EVERY, PASS, *aggregations]


def accuracies(task: Task, config: VerifiersResultConfig) -> pl.DataFrame:
    """Best of N of every selector: a row for each pool, selector, training seed and N.

    Inputs: test, ood (pools), scores_<seed>.
    """
    rows: list[tuple[Any, ...]] = []
    for name in POOLS:
        solutions = read_parquet(task.inputs[name] / "solutions.parquet")
        problems = read_parquet(task.inputs[name] / "problems.parquet")
        first = held_out(problems, config.problems)["problem_id"].to_list()
        for seed in range(config.seeds):
            folder = task.inputs[f"scores_{seed}"]
            whole = solutions.join(
                read_parquet(folder / f"{name}.parquet"),
                on=["problem_id", "sample"],
                how="inner",
                maintain_order="left",
            )
            part = part_of(whole, first, config.n).join(
                read_parquet(folder / f"{name}_part.parquet"),
                on=["problem_id", "sample"],
                how="inner",
                maintain_order="left",
            )
            subsets = derive_seed(task.seed, name, seed)
            main = main_selectors(config.sizes[-1])
            every = [arm for arm in part.columns if arm.startswith(("prm_", "orm_")) and ":" not in arm]
            for which, table, selectors in ((ALL, whole, main), (PART, part, [*every, MAJORITY])):
                rows += _rows(name, which, table, selectors, seed, config.subsets, subsets)
            task.progress(f"{name}: chose among the solutions with the models of training {seed + 1}")
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(
    name: str, which: str, table: pl.DataFrame, selectors: Sequence[str], seed: int, subsets: int, draw: int
) -> list[tuple[Any, ...]]:
    scores = [s.removeprefix(WEIGHTED) for s in selectors if s not in (MAJORITY, PASS)]
    pool = Pool.from_frame(table, sorted(set(scores)))
    drawn = curves(pool, selectors, powers_of_two(pool.samples), subsets, draw)
    return [
        (name, which, selector, seed, n, curve.mean[k], curve.per_problem[k].tolist())
        for selector, curve in drawn.items()
        for k, n in enumerate(curve.ns)
    ]


def values(table: pl.DataFrame, pool: str, problems: str, selector: str, n: int) -> Floats:
    """[seeds, problems]. Raises KeyError where nothing like it was measured."""
    rows = table.filter(
        (pl.col("pool") == pool)
        & (pl.col("problems") == problems)
        & (pl.col("selector") == selector)
        & (pl.col("n") == n)
    ).sort("seed")
    if rows.is_empty():
        raise KeyError(f"{selector} at {n} was not measured on {problems} of {pool}")
    return np.array(rows["per_problem"].to_list(), dtype=np.float64)


# Tables that a long computation keeps while it goes on: a killed one does not make them again.

TABLE, COST = "table.parquet", "cost.json"


def kept(task: Task, name: str, make: Callable[[], tuple[pl.DataFrame, Cost]]) -> tuple[pl.DataFrame, Cost]:
    """What `make` gives, read again where an earlier, killed process of the same computation has made it."""
    if task.unfinished is None:
        return make()
    done = task.unfinished / "done" / name
    if not done.is_dir():
        table, cost = make()
        begun = task.unfinished / "begun" / name
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        table.write_parquet(begun / TABLE)
        (begun / COST).write_text(json.dumps(asdict(cost)) + "\n")
        publish(begun, done)
    return read_parquet(done / TABLE), Cost(**json.loads((done / COST).read_text()))
